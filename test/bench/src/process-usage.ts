// What a process has used so far, as the kernel counts it.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Linux' USER_HZ. */
const TICKS_PER_SECOND = 100;

export interface ProcessUsage {
  residentMb: number;
  /** The most that was ever resident. */
  peakMb: number;
  cpuSeconds: number;
}

/** @throws Error when there is no such process, or no /proc */
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

/** Seconds of processor time of a process, all that came out of it, and those of these that have ended. */
export function cpuSecondsOfTree(pid: number): number {
  const [own, children] = [statOf(pid), readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')];
  const used = [11, 12, 13, 14].reduce((sum, field) => sum + Number(own[field]), 0) / TICKS_PER_SECOND;
  return children
    .split(' ')
    .filter(Boolean)
    .reduce((sum, child) => sum + cpuSecondsOfChild(Number(child)), used);
}

/** 0 when it has ended meanwhile, as a connection's process in Postgres does: then its time is about to be its parent's. */
function cpuSecondsOfChild(pid: number): number {
  try {
    return cpuSecondsOfTree(pid);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return 0;
    throw error;
  }
}

/** What follows the name in `/proc/<pid>/stat`; the name in parentheses may hold anything. */
const statOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];

/** Runs `work` and tells which share of all cores' time was used meanwhile, by whomever. */
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
