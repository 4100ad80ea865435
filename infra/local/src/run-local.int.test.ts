// `npm start` seen from outside: a process with stand-ins for the components and the real servers.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '@trellis/devstack';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunFile } from './run-file.ts';

/** Serves what every component serves, and tells its pid and its surroundings. */
const STAND_IN = `
  import { createServer } from 'node:http';
  createServer((request, response) => {
    const { NATS_URL: nats, DATABASE_URL: database, OTEL_EXPORTER_OTLP_ENDPOINT: otlp, OTLP_PORT: otlpPort } = process.env;
    response.end(JSON.stringify({ pid: process.pid, nats, database, otlp, otlpPort }));
  }).listen(Number(process.env.HEALTH_PORT), '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
`;
const DEAF = STAND_IN.replace('process.exit(0)', '{}');

let home: string;
let system: ChildProcess;
let output: string;
let ended: Promise<number | null>;

function start(stdio: 'ipc' | 'ignore' = 'ignore', env: NodeJS.ProcessEnv = {}): void {
  const script = `
    import { runLocal } from ${JSON.stringify(new URL('run-local.ts', import.meta.url).href)};
    const code = await runLocal(
      { home: ${JSON.stringify(home)}, portBase: undefined, external: {} },
      [
        { name: 'receiver', main: ${JSON.stringify(join(home, 'receiver.ts'))}, receivesTelemetry: true },
        { name: 'stand-in', main: ${JSON.stringify(join(home, 'stand-in.ts'))} },
        { name: 'unborn', main: '/nowhere/main.ts' },
      ],
    );
    process.exit(code);
  `;
  output = '';
  system = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe', stdio],
    detached: true,
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: undefined, ...env },
  });
  ended = once(system, 'exit').then(([code]) => code as number | null);
  for (const stream of [system.stdout, system.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
}

const runFile = () => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunFile;

async function up(): Promise<RunFile> {
  await expect
    .poll(() => existsSync(join(home, 'run.json')) || output.includes('trellis:'), { timeout: 60_000 })
    .toBe(true);
  return runFile();
}

function serverPids(): number[] {
  const lock = JSON.parse(readFileSync(join(home, 'stack.lock'), 'utf8')) as { processes: { pid: number }[] };
  return lock.processes.map(({ pid }) => pid);
}

interface Surroundings {
  pid: number;
  nats: string;
  database: string;
  otlp?: string;
  otlpPort?: string;
}

async function standIn(run: RunFile, name = 'stand-in'): Promise<Surroundings> {
  const answer = await fetch(`${run.components[name]?.health}/ready`);
  return (await answer.json()) as Surroundings;
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), `trellis-test-${process.pid}-local-`));
  writeFileSync(join(home, 'stand-in.ts'), STAND_IN);
});
afterEach(async () => {
  system.kill('SIGKILL');
  await ended;
  if (existsSync(join(home, 'stack.lock'))) {
    const pids = serverPids();
    await expect.poll(() => pids.filter(isRunning)).toEqual([]);
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

test('starts everything, prints and writes the addresses, and stops without leaving anything behind', async () => {
  start();
  const run = await up();
  expect(run).toMatchObject({ pid: system.pid, natsOptions: {} });
  expect(run.nats).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
  expect(run.postgres).toMatch(/^postgres:\/\/trellis:\w+@127\.0\.0\.1:\d+\/trellis$/);
  expect(run.clickhouse).toMatch(/^http:\/\/trellis:\w+@127\.0\.0\.1:\d+$/);
  expect(run.analyst).toMatch(/^http:\/\/analyst:\w+@127\.0\.0\.1:\d+\/trellis_jobs$/);
  expect(statSync(join(home, 'run.json')).mode & 0o077).toBe(0);
  const component = await standIn(run);
  expect(component).toMatchObject({ nats: run.nats, database: run.postgres });
  expect(existsSync(join(home, 'logs', 'stand-in.log'))).toBe(true);
  expect(output).toContain('unborn does not exist, skipped');
  await expect.poll(() => output).toContain('npx trellis jobs list');
  expect(output).not.toContain(new URL(run.postgres).password);

  const pids = [...serverPids(), component.pid];
  expect(pids.filter(isRunning)).toHaveLength(4);
  system.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
  expect(existsSync(join(home, 'run.json'))).toBe(false);
});

test('the telemetry receiver starts first, and the others get its URL', async () => {
  writeFileSync(join(home, 'receiver.ts'), STAND_IN);
  start();
  const run = await up();
  const { otlpPort } = await standIn(run, 'receiver');
  expect(run.otlp).toBe(`http://127.0.0.1:${otlpPort}`);
  expect(await standIn(run)).toMatchObject({ otlp: run.otlp });
  await expect.poll(() => output).toContain(`${run.otlp} (OTLP)`);
});

test('an external collector gets the telemetry instead', async () => {
  writeFileSync(join(home, 'receiver.ts'), STAND_IN);
  start('ignore', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318' });
  const run = await up();
  expect((await standIn(run)).otlp).toBe('http://collector.example:4318');
  expect(run.otlp).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

test('a component that dies is restarted on the same port', async () => {
  start();
  const run = await up();
  const { pid } = await standIn(run);
  process.kill(pid, 'SIGKILL');
  await expect
    .poll(
      () =>
        standIn(run).then(
          (one) => one.pid === pid,
          () => true,
        ),
      { timeout: 20_000 },
    )
    .toBe(false);
  expect(output).toContain('stand-in ended unexpectedly (SIGKILL)');
});

test('stops when its parent process has ended', async () => {
  start('ipc');
  const run = await up();
  const pids = [...serverPids(), (await standIn(run)).pid];
  system.disconnect();
  expect(await ended).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
});

test('a second signal kills a component that does not stop', async () => {
  writeFileSync(join(home, 'stand-in.ts'), DEAF);
  start();
  const run = await up();
  const { pid } = await standIn(run);
  system.kill('SIGTERM');
  await expect.poll(() => output).toContain('stopping (SIGTERM)');
  expect(isRunning(pid)).toBe(true);
  system.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(isRunning(pid)).toBe(false);
});

test('if a component does not start, the start fails with its last log lines', async () => {
  writeFileSync(join(home, 'stand-in.ts'), "throw new Error('no way');");
  start();
  expect(await ended).toBe(1);
  expect(output).toContain('no way');
  expect(existsSync(join(home, 'stack.lock'))).toBe(false);
});

test('a signal during the start cancels it', async () => {
  start();
  await expect.poll(() => output).toContain('starting NATS');
  system.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(existsSync(join(home, 'run.json'))).toBe(false);
  expect(existsSync(join(home, 'stack.lock'))).toBe(false);
});

test('the next start removes the run.json of a killed run', async () => {
  start();
  await up();
  system.kill('SIGKILL');
  await ended;
  const stale = runFile();
  start();
  await expect.poll(() => existsSync(join(home, 'run.json')) && runFile().pid === stale.pid).toBe(false);
  expect((await up()).pid).toBe(system.pid);
});
