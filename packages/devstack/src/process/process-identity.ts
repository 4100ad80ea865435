// Tells processes apart even when the system gives a pid to another program later.
// Ending a process is left to its owner; this only looks.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessState {
  parent: number;
  /** When it began, in the system's own notation: with the pid it names one process only. */
  started: string;
  zombie: boolean;
}

function readState(pid: number): ProcessState | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command's name stands in brackets and may itself hold blanks and brackets.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { parent: Number(fields[1]), started: fields[19] ?? '', zombie: fields[0] === 'Z' };
    } catch {
      return undefined;
    }
  }
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [parent = '', state = '', ...started] = line.split(/\s+/);
    return { parent: Number(parent), started: started.join(' '), zombie: state.startsWith('Z') };
  } catch {
    return undefined;
  }
}

/** A string that only this very process has, or undefined when no such process runs (a zombie does not). */
export function processIdentity(pid: number): string | undefined {
  const state = pid > 0 ? readState(pid) : undefined;
  return state && !state.zombie ? `${pid}@${state.started}` : undefined;
}

/** Whether a process runs under this pid, whoever it is. */
export function isRunning(pid: number): boolean {
  return processIdentity(pid) !== undefined;
}

/** The process's command line, its words joined by blanks; empty when it is gone or not ours to read. */
export function commandLine(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** The pids of the process's children, not of theirs. */
export function childrenOf(pid: number): number[] {
  const pids =
    process.platform === 'linux'
      ? readdirSync('/proc').filter((name) => /^\d+$/.test(name))
      : execFileSync('ps', ['-A', '-o', 'pid='], { encoding: 'utf8' }).split('\n');
  return pids.map(Number).filter((child) => child > 0 && readState(child)?.parent === pid);
}
