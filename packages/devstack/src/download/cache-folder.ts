// The per-user cache folder for downloads, shared by all checkouts.
// infra/bootstrap/toolchain.mjs uses the same folder for the tool chain. The content is left to each caller.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from '../process/process-identity.ts';

/** The cache folder, created if missing. `TRELLIS_CACHE` overrides it. */
export function cacheFolder(): string {
  const folder =
    process.env.TRELLIS_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'trellis-jobs');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs `work` while `folder` serves as a lock between processes. The lock of a dead process is taken over. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isAbandoned(folder)) rmSync(folder, { recursive: true, force: true });
      else await delay(200);
    }
  }
  writeFileSync(join(folder, 'pid'), String(process.pid));
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAbandoned(folder: string): boolean {
  try {
    return !isRunning(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  } catch {
    try {
      // No pid file yet: the owner may be about to write it.
      return Date.now() - statSync(folder).mtimeMs > 5_000;
    } catch {
      return false;
    }
  }
}
