// The servers end when the process that supervises them is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startStack } from '../stack.ts';
import { childrenOf, commandLine, isRunning } from './process-identity.ts';

let folder: string;
let supervisor: ChildProcess;
let pids: number[];

/** Starts a stack in another process and reads the pids of its servers. */
async function startElsewhere(): Promise<void> {
  const script = `
    import { startStack } from ${JSON.stringify(new URL('../stack.ts', import.meta.url).href)};
    const stack = await startStack({ home: ${JSON.stringify(folder)}, durability: 'test' });
    console.log(JSON.stringify(stack.servers.map((server) => server.pid)));
    setInterval(() => {}, 1000);
  `;
  supervisor = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(supervisor.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  pids = JSON.parse(String(chunk)) as number[];
}

const guards = () => childrenOf(supervisor.pid as number).filter((pid) => commandLine(pid).includes('trellis-guard'));

async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isRunning(pid)).toBe(false);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), `trellis-test-${process.pid}-devstack-`));
  await startElsewhere();
});
afterEach(async () => {
  supervisor.kill('SIGKILL');
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test('the servers end when their supervisor is killed', async () => {
  expect(pids.filter(isRunning)).toHaveLength(3);
  await kill(supervisor.pid as number);
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
});

test('a killed guard is replaced', async () => {
  const [first] = guards();
  await kill(first as number);
  await expect.poll(guards).toHaveLength(1);
  await kill(supervisor.pid as number);
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
});

test('a start ends the servers of a killed run whose guard was killed too', async () => {
  const [guard] = guards();
  // Stopped first, so that it cannot replace the guard.
  supervisor.kill('SIGSTOP');
  process.kill(guard as number, 'SIGKILL');
  await kill(supervisor.pid as number);
  expect(pids.filter(isRunning)).toHaveLength(3);

  const logged: string[] = [];
  await using stack = await startStack({ home: folder, durability: 'test', log: (line) => logged.push(line) });
  expect(pids.filter(isRunning)).toEqual([]);
  expect(logged.join('\n')).toContain('ending processes that a killed run left behind');
  expect(stack.servers.map((server) => server.pid).every(isRunning)).toBe(true);
});
