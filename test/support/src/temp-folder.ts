// Temporary folders whose names contain the pid of their owner.
// The owner removes them. The next test run removes those of killed runs.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '@trellis/devstack';

const PREFIX = 'trellis-test-';

/** Creates a new folder for this process. */
export function tempFolder(what: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${what}-`));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Removes a folder; tries again for a moment if a process still writes to it. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Removes the folders whose owner has ended. */
export function removeAbandonedFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0;
    if (!pid || isRunning(pid)) continue;
    try {
      removeFolder(join(tmpdir(), name));
    } catch {
      // It belongs to another user, or its servers are just ending: the next run tries again.
    }
  }
}
