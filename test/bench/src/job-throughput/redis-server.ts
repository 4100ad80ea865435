// A Redis server for BullMQ: the given one, or one on PATH, in the cache, or from the Debian archive.
// It stores nothing on disk, the fastest setting for BullMQ.
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

/** Packages that redis-server needs in addition to a base Debian. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1'];
export const REDIS_DURABILITY = 'redis: appendonly no, save ""';

interface RedisProgram {
  file: string;
  env: NodeJS.ProcessEnv;
  version: string;
}

/** Starts Redis on a free port; `folder` receives its log. @throws Error if this machine cannot get a redis-server */
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
  const printed = await runCommand({ file, args: ['--version'], env });
  const version = /v=(\S+)/.exec(printed)?.[1];
  if (!version) throw new Error(`${file} does not run as a redis-server here: ${printed.trim().split('\n')[0]}`);
  return { file, env, version };
}
