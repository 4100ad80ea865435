// What a process has used so far, as the kernel counts it.
import { readFileSync } from 'node:fs';

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
  // The name in parentheses may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return {
    residentMb: megabytes('VmRSS'),
    peakMb: megabytes('VmHWM'),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}
