// Folders in the system's temporary folder that name the process they belong to.
// Removing one in order is left to its owner; those of killed runs are removed by the next run.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '@trellis/devstack';

const PREFIX = 'trellis-test-';

/** Makes a new folder for this process. */
export function tempFolder(what: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${what}-`));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Removes a folder; what still holds files in it is given a moment to end. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Removes the folders whose process is gone. */
export function removeAbandonedFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0;
    if (!pid || isRunning(pid)) continue;
    try {
      removeFolder(join(tmpdir(), name));
    } catch {
      // Another user's, or its servers are only just ending: the next run tries again.
    }
  }
}
