// Allows one stack per home folder at a time, and ends processes that a killed stack left behind.
// Starting and watching the servers is left to stack.ts.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withFolderLock } from './download/cache-folder.ts';
import { childrenOf, processIdentity } from './process/process-identity.ts';

interface Recorded {
  pid: number;
  identity: string;
}

interface LockFile extends Recorded {
  processes: (Recorded & { name: string })[];
}

export interface HomeLock {
  /** Records which processes run now, so that the next start can end those that outlive this process. */
  record(processes: { name: string; pid: number }[]): void;
  release(): void;
}

const lockFile = (home: string) => join(home, 'stack.lock');

function readLock(file: string): LockFile | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockFile;
  } catch {
    return undefined;
  }
}

const runs = (recorded: Recorded) => processIdentity(recorded.pid) === recorded.identity;

/** The pid of the process that runs a stack in the home now; undefined if none does. */
export function homeOwner(home: string): number | undefined {
  const present = readLock(lockFile(home));
  return present && runs(present) ? present.pid : undefined;
}

/**
 * Locks the home for this process.
 * @throws Error with the pid if another process runs a stack there
 */
export async function lockHome(home: string, log: (line: string) => void): Promise<HomeLock> {
  mkdirSync(home, { recursive: true });
  const file = lockFile(home);
  const self: Recorded = { pid: process.pid, identity: processIdentity(process.pid) ?? '' };
  const replace = (processes: LockFile['processes']) => {
    const next = `${file}.${process.pid}`;
    writeFileSync(next, `${JSON.stringify({ ...self, processes } satisfies LockFile, null, 2)}\n`);
    renameSync(next, file);
  };

  await withFolderLock(join(home, 'stack.starting'), async () => {
    const present = readLock(file);
    if (present && runs(present)) {
      throw new Error(
        `a stack already runs in ${home} (pid ${present.pid}); stop it first, or set TRELLIS_HOME to another folder`,
      );
    }
    if (present) await endLeftOvers(present.processes, log);
    replace([]);
  });

  let released = false;
  return {
    record(processes) {
      if (released) return;
      replace(
        processes.flatMap(({ name, pid }) => {
          const identity = processIdentity(pid);
          return identity ? [{ name, pid, identity }] : [];
        }),
      );
    },
    release() {
      released = true;
      rmSync(file, { force: true });
    },
  };
}

async function endLeftOvers(processes: LockFile['processes'], log: (line: string) => void): Promise<void> {
  const left = processes.filter(runs);
  if (left.length === 0) return;
  log(
    `ending processes that a killed run left behind: ${left.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ')}`,
  );
  const children = left.flatMap(({ pid }) => childrenOf(pid)).map((pid) => ({ pid, identity: processIdentity(pid) }));
  const signal = (pid: number, name: NodeJS.Signals) => {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  };
  for (const one of left) signal(one.pid, one.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  for (let waited = 0; waited < 10_000 && left.some(runs); waited += 50) await delay(50);
  for (const one of left.filter(runs)) signal(one.pid, 'SIGKILL');
  for (const one of children) {
    if (one.identity && processIdentity(one.pid) === one.identity) signal(one.pid, 'SIGKILL');
  }
  for (let waited = 0; waited < 5_000 && left.some(runs); waited += 50) await delay(50);
}
