// A Redis server for BullMQ: one that is named, on PATH, in the cache, or fetched from Debian's archive into the cache.
// It keeps nothing on disk, which is BullMQ's best figure.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { arch } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  cacheFolder,
  onPorts,
  runCommand,
  type SupervisedProcess,
  startSupervised,
  withFolderLock,
} from '@trellis/devstack';
import { Redis } from 'ioredis';
import type { BenchContext } from '../bench-entry.ts';

/** What redis-server needs beyond what every Debian has. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1'];
export const REDIS_DURABILITY = 'redis: appendonly no, save ""';

interface RedisProgram {
  file: string;
  env: NodeJS.ProcessEnv;
  version: string;
}

/** Starts Redis on a free port; `folder` holds its log. @throws Error when no redis-server can be had here */
export async function startRedis(
  folder: string,
  { redisServer, versions, say }: Pick<BenchContext, 'redisServer' | 'versions' | 'say'>,
): Promise<{ url: string; server: SupervisedProcess }> {
  const program = await findRedis(redisServer, say);
  versions.set('redis', program.version);
  return onPorts([undefined], async ([port]) => {
    const url = `redis://127.0.0.1:${port}`;
    const server = await startSupervised({
      name: 'redis',
      command: () => ({
        file: program.file,
        args: [
          '--port',
          String(port),
          '--bind',
          '127.0.0.1',
          '--save',
          '',
          '--appendonly',
          'no',
          '--maxmemory-policy',
          'noeviction',
        ],
        env: program.env,
        cwd: folder,
      }),
      logFile: join(folder, 'redis.log'),
      ready: async () => {
        const redis = new Redis(url, { lazyConnect: true, retryStrategy: null });
        redis.on('error', () => undefined);
        try {
          await redis.connect();
          return (await redis.ping()) === 'PONG';
        } finally {
          redis.disconnect();
        }
      },
    });
    return { url, server };
  });
}

async function findRedis(named: string | undefined, say: (line: string) => void): Promise<RedisProgram> {
  if (named) return tryProgram(named);
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, 'redis-server');
    if (folder && existsSync(file)) return tryProgram(file);
  }
  const cached = join(cacheFolder(), `redis-debian-${arch()}`);
  await withFolderLock(`${cached}.lock`, async () => {
    if (existsSync(cached)) return;
    say("fetching redis-server from Debian's archive …");
    const scratch = `${cached}.new`;
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { recursive: true });
    await runCommand({ file: 'apt-get', args: ['-q', 'download', ...PACKAGES], cwd: scratch });
    for (const name of readdirSync(scratch).filter((file) => file.endsWith('.deb'))) {
      await runCommand({ file: 'dpkg', args: ['-x', join(scratch, name), scratch] });
      rmSync(join(scratch, name));
    }
    renameSync(scratch, cached);
  });
  const libraries = readdirSync(join(cached, 'usr', 'lib')).map((name) => join(cached, 'usr', 'lib', name));
  return tryProgram(join(cached, 'usr', 'bin', 'redis-server'), libraries.join(delimiter));
}

async function tryProgram(file: string, libraries?: string): Promise<RedisProgram> {
  const env = { PATH: process.env.PATH, ...(libraries && { LD_LIBRARY_PATH: libraries }) };
  const said = await runCommand({ file, args: ['--version'], env });
  const version = /v=(\S+)/.exec(said)?.[1];
  if (!version) throw new Error(`${file} is no redis-server that runs here: ${said.trim().split('\n')[0]}`);
  return { file, env, version };
}
