// Finds a nats-server (2.10 or newer) on this machine, or fetches one into the cache folder.
// Running it is left to nats-server.ts.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheFolder, withFolderLock } from '../download/cache-folder.ts';
import { DEBIAN_SUITE, fetchDebianPackage, whyNoDebian } from '../download/debian-package.ts';
import { runCommand } from '../process/run-command.ts';

const OLDEST = [2, 10] as const;

export interface NatsBinary {
  file: string;
  /** Such as `2.15.1`. */
  version: string;
}

type SearchResult = { found: NatsBinary } | { missing: string };

let known: Promise<NatsBinary> | undefined;

/**
 * The nats-server to run. Searched in this order: `TRELLIS_NATS_SERVER`, PATH, the cache, the archive that
 * `TRELLIS_NATS_ARCHIVE` names, the Debian archive.
 * @throws Error that lists every place and why it has no usable server
 */
export function findNatsServer(log: (line: string) => void = () => {}): Promise<NatsBinary> {
  known ??= search(log).catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

async function search(log: (line: string) => void): Promise<NatsBinary> {
  const named = process.env.TRELLIS_NATS_SERVER;
  if (named) {
    const way = await tryBinary(named);
    if ('found' in way) return way.found;
    throw new Error(`TRELLIS_NATS_SERVER=${named}: ${way.missing}`);
  }
  const archive = () => fetchArchive(log);
  const ways: [string, () => Promise<SearchResult>][] = [
    ['nats-server on PATH', searchPath],
    [`the cache ${cacheFolder()}`, searchCache],
    ['the release archive named by TRELLIS_NATS_ARCHIVE', archive],
    [`Debian's archive (suite ${DEBIAN_SUITE}, by apt-get)`, () => fetchFromDebian(log)],
  ];
  const reasons: string[] = [];
  for (const [what, look] of ways) {
    const way = await look().catch((error: Error): SearchResult => ({ missing: error.message }));
    if ('found' in way) return way.found;
    // The user chose this archive: do not replace it by another server.
    if (look === archive && process.env.TRELLIS_NATS_ARCHIVE) throw new Error(`${what}: ${way.missing}`);
    reasons.push(`  - ${what}: ${way.missing}`);
  }
  throw new Error(
    [
      `no nats-server ${OLDEST.join('.')} or newer was found:`,
      ...reasons,
      'To fix this: install nats-server so that it is on PATH; or set TRELLIS_NATS_SERVER to its file; or set',
      "TRELLIS_NATS_ARCHIVE to the project's official release archive (file or URL, .tar.gz or .zip) for this machine",
      'and TRELLIS_NATS_ARCHIVE_SHA256 to its published checksum; or run a server elsewhere and set NATS_URL.',
    ].join('\n'),
  );
}

async function tryBinary(file: string): Promise<SearchResult> {
  if (!existsSync(file)) return { missing: 'there is no such file' };
  const printed = await runCommand({ file, args: ['--version'] }).catch((error: Error) => error.message);
  const version = /nats-server: v(\S+)/.exec(printed)?.[1];
  if (!version) return { missing: `it does not run as a nats-server here: ${printed.trim().split('\n')[0]}` };
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const recent = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return recent ? { found: { file, version } } : { missing: `version ${version} is older than ${OLDEST.join('.')}` };
}

async function searchPath(): Promise<SearchResult> {
  let missing = 'not found';
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, 'nats-server');
    if (!folder || !existsSync(file)) continue;
    const way = await tryBinary(file);
    if ('found' in way) return way;
    missing = `${file}: ${way.missing}`;
  }
  return { missing };
}

async function searchCache(): Promise<SearchResult> {
  const cache = cacheFolder();
  const folders = readdirSync(cache)
    .filter((name) => /^nats-server-\d/.test(name))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const folder of folders) {
    const way = await tryBinary(join(cache, folder, 'nats-server'));
    if ('found' in way) return way;
  }
  return { missing: 'not found' };
}

/** Runs `fetch` in a scratch folder under a lock, then moves the server it returns into the cache. */
async function intoCache(fetch: (folder: string) => Promise<string>): Promise<SearchResult> {
  const cache = cacheFolder();
  return withFolderLock(join(cache, 'nats-server.lock'), async () => {
    // Another process may have fetched it while this one waited for the lock.
    const present = await searchCache();
    if ('found' in present) return present;
    const scratch = join(cache, `fetch-nats-${process.pid}`);
    mkdirSync(scratch, { recursive: true });
    try {
      const way = await tryBinary(await fetch(scratch));
      if (!('found' in way)) return way;
      const target = join(cache, `nats-server-${way.found.version}`);
      const fresh = join(scratch, 'fresh');
      mkdirSync(fresh);
      copyFileSync(way.found.file, join(fresh, 'nats-server'));
      rmSync(target, { recursive: true, force: true });
      renameSync(fresh, target);
      return { found: { file: join(target, 'nats-server'), version: way.found.version } };
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}

/** The file named nats-server somewhere below the folder. */
function locate(folder: string): string {
  const path = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .find((name) => /[\\/]nats-server$/.test(name) && statSync(name).isFile());
  if (!path) throw new Error('it contains no file named nats-server');
  return path;
}

async function fetchArchive(log: (line: string) => void): Promise<SearchResult> {
  const source = process.env.TRELLIS_NATS_ARCHIVE;
  const expected = process.env.TRELLIS_NATS_ARCHIVE_SHA256?.toLowerCase();
  if (!source) return { missing: 'not set' };
  if (!expected) return { missing: 'TRELLIS_NATS_ARCHIVE_SHA256 is not set, and an unchecked download is never run' };
  return intoCache(async (folder) => {
    const zip = source.endsWith('.zip');
    const archive = join(folder, zip ? 'archive.zip' : 'archive.tar.gz');
    log('fetching nats-server from the archive named by TRELLIS_NATS_ARCHIVE …');
    if (/^https?:/.test(source)) {
      const response = await fetch(source);
      if (!response.ok) throw new Error(`the archive's server answered ${response.status}`);
      await writeFile(archive, Buffer.from(await response.arrayBuffer()));
    } else {
      cpSync(source, archive);
    }
    const actual = createHash('sha256').update(readFileSync(archive)).digest('hex');
    if (actual !== expected) throw new Error(`its SHA-256 is ${actual}, expected ${expected}`);
    const unpacked = join(folder, 'unpacked');
    mkdirSync(unpacked);
    await runCommand(
      zip
        ? { file: 'unzip', args: ['-q', archive, '-d', unpacked] }
        : { file: 'tar', args: ['-xzf', archive, '-C', unpacked] },
    );
    return locate(unpacked);
  });
}

async function fetchFromDebian(log: (line: string) => void): Promise<SearchResult> {
  const missing = whyNoDebian();
  if (missing !== undefined) return { missing };
  return intoCache(async (folder) => {
    log(`fetching nats-server from Debian's archive (suite ${DEBIAN_SUITE}, 5 MB) …`);
    const file = locate(await fetchDebianPackage('nats-server', folder));
    log('nats-server is now in the cache');
    return file;
  });
}
