#!/usr/bin/env node
// `npx trellis …` from the checkout: installs the tool chain if needed, then starts the CLI under Node 24.
// Plain JavaScript that Node 18 can run.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureToolchain, root } from './toolchain.mjs';

try {
  const { node, env } = await ensureToolchain();
  const child = spawn(node, [join(root, 'apps', 'cli', 'src', 'main.ts'), ...process.argv.slice(2)], {
    // Halves the start time of every command except the first.
    env: { ...env, NODE_COMPILE_CACHE: join(env.TRELLIS_CACHE, 'compile-cache') },
    stdio: 'inherit',
  });
  // A Ctrl-C reaches the CLI too. This process only waits until it has ended.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`trellis: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0);
  });
} catch (error) {
  console.error(`trellis: ${error.message}`);
  process.exitCode = 1;
}
