// Identifies processes even if the system reuses a pid later.
// It only reads; ending a process is left to its owner.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessState {
  parent: number;
  /** Start time in the system's notation. Together with the pid it identifies one process. */
  started: string;
  zombie: boolean;
}

function readState(pid: number): ProcessState | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command name is in parentheses and may itself contain spaces and parentheses.
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

/** A string that identifies the process; undefined if no process runs under the pid (a zombie does not count). */
export function processIdentity(pid: number): string | undefined {
  const state = pid > 0 ? readState(pid) : undefined;
  return state && !state.zombie ? `${pid}@${state.started}` : undefined;
}

/** Whether any process runs under this pid. */
export function isRunning(pid: number): boolean {
  return processIdentity(pid) !== undefined;
}

/** The process's command line, its arguments joined by spaces; empty if it has ended or may not be read. */
export function commandLine(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** The pids of the process's direct children. */
export function childrenOf(pid: number): number[] {
  const pids =
    process.platform === 'linux'
      ? readdirSync('/proc').filter((name) => /^\d+$/.test(name))
      : execFileSync('ps', ['-A', '-o', 'pid='], { encoding: 'utf8' }).split('\n');
  return pids.map(Number).filter((child) => child > 0 && readState(child)?.parent === pid);
}
