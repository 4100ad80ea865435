// Memory and processor time of a process, as the kernel counts them.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

export interface ProcessUsage {
  residentMb: number;
  /** Maximum resident memory so far. */
  peakMb: number;
  cpuSeconds: number;
}

/** @throws Error if the process or /proc does not exist */
export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1_024);
  const fields = statOf(pid);
  return {
    residentMb: megabytes('VmRSS'),
    peakMb: megabytes('VmHWM'),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** Seconds of processor time of a process and all its descendants, including ended ones. */
export function cpuSecondsOfTree(pid: number): number {
  const [own, children] = [statOf(pid), readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')];
  const used = [11, 12, 13, 14].reduce((sum, field) => sum + Number(own[field]), 0) / TICKS_PER_SECOND;
  return children
    .split(' ')
    .filter(Boolean)
    .reduce((sum, child) => sum + cpuSecondsOfChild(Number(child)), used);
}

/** 0 if it has ended meanwhile, like a connection's process in Postgres: its time is then added to its parent's. */
function cpuSecondsOfChild(pid: number): number {
  try {
    return cpuSecondsOfTree(pid);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0;
    throw error;
  }
}

/** The fields after the name in `/proc/<pid>/stat`. The name, in parentheses, may contain any character. */
const statOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];

/** Runs `work` and returns the share of all cores' time that all processes used meanwhile. */
export async function machineBusy<Result>(work: () => Promise<Result>): Promise<{ result: Result; busy: number }> {
  const before = cpuTimes();
  const result = await work();
  const after = cpuTimes();
  return { result, busy: 1 - (after.idle - before.idle) / (after.all - before.all) };
}

function cpuTimes(): { idle: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (of: (one: (typeof times)[number]) => number) => times.reduce((total, one) => total + of(one), 0);
  return { idle: sum((one) => one.idle), all: sum((one) => one.idle + one.user + one.sys + one.nice + one.irq) };
}
