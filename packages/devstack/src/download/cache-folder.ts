// The per-user folder for what was downloaded once: it survives clones and homes.
// infra/bootstrap/toolchain.mjs keeps the tool chain there by the same rule; what is inside is left to each.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from '../process/process-identity.ts';

/** The cache folder, made when missing. `TRELLIS_CACHE` overrides it. */
export function cacheFolder(): string {
  const folder =
    process.env.TRELLIS_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'trellis-jobs');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs `work` while holding `folder` as a lock against other processes; a lock whose owner is gone is taken over. */
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
      // No pid in it yet: its owner may be about to write it.
      return Date.now() - statSync(folder).mtimeMs > 5_000;
    } catch {
      return false;
    }
  }
}
