// Finds promtool, Prometheus' checker for metrics and rules, or fetches it into the cache folder. Only tests use it.
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder, withFolderLock } from './cache-folder.ts';
import { DEBIAN_SUITE, fetchDebianPackage, whyNoDebian } from './debian-package.ts';

let known: Promise<string> | undefined;

/**
 * The file of promtool: on PATH, in the cache, or from the Debian package `promtool`.
 * @throws Error with the reason if there is none
 */
export function findPromtool(log: (line: string) => void = () => {}): Promise<string> {
  known ??= search(log).catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

async function search(log: (line: string) => void): Promise<string> {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'promtool'));
  const cached = join(cacheFolder(), 'promtool', 'promtool');
  const present = [...onPath, cached].find(existsSync);
  if (present) return present;
  const missing = whyNoDebian();
  if (missing) throw new Error(`no promtool on PATH, and it cannot be fetched: ${missing}; install Prometheus`);
  return withFolderLock(join(cacheFolder(), 'promtool.lock'), async () => {
    // Another process may have fetched it while this one waited for the lock.
    if (existsSync(cached)) return cached;
    log(`fetching promtool from Debian's archive (suite ${DEBIAN_SUITE}, 30 MB) …`);
    const scratch = join(cacheFolder(), `fetch-promtool-${process.pid}`);
    const fresh = join(scratch, 'fresh');
    mkdirSync(fresh, { recursive: true });
    try {
      const unpacked = await fetchDebianPackage('promtool', scratch);
      copyFileSync(join(unpacked, 'usr', 'bin', 'promtool'), join(fresh, 'promtool'));
      rmSync(join(cacheFolder(), 'promtool'), { recursive: true, force: true });
      renameSync(fresh, join(cacheFolder(), 'promtool'));
      return cached;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}
