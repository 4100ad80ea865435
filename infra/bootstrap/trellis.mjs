#!/usr/bin/env node
// `npx trellis …` from the checkout: sets the tool chain up if it must, then hands over to the CLI under Node 24.
// Plain JavaScript that Node 18 can run.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureToolchain, root } from './toolchain.mjs';

try {
  const { node, env } = await ensureToolchain();
  const child = spawn(node, [join(root, 'apps', 'cli', 'src', 'main.ts'), ...process.argv.slice(2)], {
    // Halves the start of every command but the first.
    env: { ...env, NODE_COMPILE_CACHE: join(env.TRELLIS_CACHE, 'compile-cache') },
    stdio: 'inherit',
  });
  // A Ctrl-C of the terminal reaches the CLI as well: this process only has to live until it has ended.
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
