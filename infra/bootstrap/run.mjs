// The npm scripts of the repository: installs the tool chain if needed, then starts the script under Node 24.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { passSignalsOn } from './pass-signals-on.mjs';
import { ensureToolchain, root } from './toolchain.mjs';

const commands = {
  start: { script: 'infra/local/src/start.ts', ownGroup: true },
  test: { script: 'infra/check/src/test.ts' },
  check: { script: 'infra/check/src/check.ts' },
  format: { script: 'infra/check/src/format.ts' },
  bench: { script: 'test/bench/src/main.ts' },
};

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  console.error(`run.mjs: unknown command "${name}", expected one of: ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}

try {
  const { node, env } = await ensureToolchain();
  // In a separate process group a Ctrl-C reaches only this process, which forwards it once, so that the system stops
  // in order. The IPC channel tells the child if this process is killed.
  const child = spawn(node, [join(root, command.script), ...args], {
    cwd: name === 'start' ? process.cwd() : root,
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: command.ownGroup === true,
  });
  passSignalsOn(process, child);
  child.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal ? 1 : 0);
    child.channel?.unref();
  });
} catch (error) {
  console.error(`trellis: ${error.message}`);
  process.exitCode = 1;
}
