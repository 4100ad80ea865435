// For tests: the real projector as a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../projector/src/main.ts', import.meta.url));

/** Projects into Postgres only; disposing stops it. */
export function spawnProjector(env: { NATS_URL: string; DATABASE_URL: string }): AsyncDisposable {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...env, PIPELINES: 'current', LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const closed = once(child, 'close');
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}
