// The three servers together: what a home keeps, who may use it, and the errors of a start.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort, isFreePort } from './free-port.ts';
import { isRunning } from './process/process-identity.ts';
import { type Stack, type StackUrls, startStack } from './stack.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), `trellis-test-${process.pid}-devstack-`));
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

const start = (home: string, options: Partial<Parameters<typeof startStack>[0]> = {}) =>
  startStack({ home, durability: 'test', ...options });

async function clickhouse(url: string, sql: string): Promise<string> {
  const { origin, username, password } = new URL(url);
  const headers = { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password, Connection: 'close' };
  const answer = await fetch(origin, { method: 'POST', body: sql, headers });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text.trim();
}

async function postgres(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function writeEverywhere(urls: StackUrls): Promise<void> {
  const nats = await connect({ servers: urls.nats, ...urls.natsOptions });
  await (await jetstreamManager(nats)).streams.add({ name: 'KEPT', subjects: ['kept.>'] });
  await jetstream(nats).publish('kept.one', 'hello');
  await nats.close();
  await postgres(urls.postgres, "CREATE TABLE kept AS SELECT 'hello' AS word");
  await clickhouse(urls.clickhouse, "CREATE TABLE kept ORDER BY word AS SELECT 'hello' AS word");
}

async function readEverywhere(urls: StackUrls): Promise<unknown> {
  const nats = await connect({ servers: urls.nats, ...urls.natsOptions });
  const message = await (await jetstreamManager(nats)).streams.getMessage('KEPT', { seq: 1 });
  await nats.close();
  return [
    message?.string(),
    await postgres(urls.postgres, 'SELECT * FROM kept'),
    await clickhouse(urls.clickhouse, 'SELECT word FROM kept'),
  ];
}

const everything = ['hello', [{ word: 'hello' }], 'hello'];

test('a stopped stack starts again with its data, its ports and its passwords', async () => {
  let urls: StackUrls;
  let pids: number[];
  {
    await using stack = await start(folder);
    ({ urls } = stack);
    pids = stack.servers.map((server) => server.pid);
    expect(stack.servers.map((server) => [server.name, server.external])).toEqual([
      ['nats', false],
      ['postgres', false],
      ['clickhouse', false],
    ]);
    expect(pids.every(isRunning)).toBe(true);
    await writeEverywhere(urls);
  }
  expect(pids.filter(isRunning)).toEqual([]);
  await using again = await start(folder);
  expect(again.urls).toEqual(urls);
  expect(await readEverywhere(again.urls)).toEqual(everything);
  for (const name of ['nats', 'postgres', 'clickhouse']) {
    expect(existsSync(join(again.logs, `${name}.log`)), `${name}.log`).toBe(true);
  }
  for (const secret of ['postgres/password', 'clickhouse/password', 'clickhouse/users.xml']) {
    expect(statSync(join(folder, secret)).mode & 0o077, secret).toBe(0);
  }
});

test('killed servers restart on the same port with their data', async () => {
  await using stack = await start(folder);
  await writeEverywhere(stack.urls);
  const before = stack.servers.map((server) => server.pid);
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await expect
    .poll(() => readEverywhere(stack.urls).catch(() => 'not yet'), { timeout: 30_000, interval: 100 })
    .toEqual(everything);
  const after = stack.servers.map((server) => server.pid);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  // The lock names the processes that a later start would end.
  const lock = JSON.parse(readFileSync(join(folder, 'stack.lock'), 'utf8')) as { processes: { pid: number }[] };
  expect(lock.processes.map((one) => one.pid).sort()).toEqual(after.sort());
});

test.each(['nats', 'postgres', 'clickhouse'] as const)('%s stays down after kill and keeps its data', async (name) => {
  await using stack = await start(folder);
  await writeEverywhere(stack.urls);
  const server = stack.servers.find((one) => one.name === name);
  await server?.process?.kill();
  expect(server?.process?.running).toBe(false);
  await expect(readEverywhere(stack.urls)).rejects.toThrow();
  await server?.process?.restart();
  expect(await readEverywhere(stack.urls)).toEqual(everything);
});

test('two stacks run side by side', async () => {
  const stacks = await Promise.all([start(join(folder, 'a')), start(join(folder, 'b'))]);
  await using one = stacks[0] as Stack;
  await using other = stacks[1] as Stack;
  await writeEverywhere(one.urls);
  await expect(postgres(other.urls.postgres, 'SELECT * FROM kept')).rejects.toThrow(/does not exist/);
  await expect(clickhouse(other.urls.clickhouse, 'SELECT * FROM kept')).rejects.toThrow(/Unknown table/);
  expect(await readEverywhere(one.urls)).toEqual(everything);
});

test('a home in use is refused, with the pid of its owner', async () => {
  await using stack = await start(folder, { only: ['nats'] });
  await expect(start(folder, { only: ['nats'] })).rejects.toThrow(`already runs in ${folder} (pid ${process.pid})`);
  expect(isRunning(stack.servers[0]?.pid as number)).toBe(true);
});

async function occupy(port: number): Promise<AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

test('a port base gives consecutive ports, and the error for a taken one names it', async () => {
  let base = await freePort();
  while (!(await Promise.all([1, 2, 3].map((offset) => isFreePort(base + offset)))).every(Boolean)) {
    base = await freePort();
  }
  {
    await using stack = await start(folder, { portBase: base });
    expect(stack.urls.nats).toBe(`nats://127.0.0.1:${base}`);
    expect(new URL(stack.urls.postgres).port).toBe(String(base + 2));
    expect(new URL(stack.urls.clickhouse).port).toBe(String(base + 3));
  }
  await using _taken = await occupy(base + 2);
  await expect(start(folder, { portBase: base })).rejects.toThrow(`port ${base + 2} of 127.0.0.1`);
  // The refused start leaves nothing behind.
  await using other = await start(folder, { only: ['nats'] });
  expect(other.servers).toHaveLength(1);
});

test('a remembered port that is taken is replaced by a free one', async () => {
  let port: number;
  {
    await using stack = await start(folder, { only: ['postgres'] });
    port = Number(new URL(stack.urls.postgres).port);
  }
  await using _taken = await occupy(port);
  await using stack = await start(folder, { only: ['postgres'] });
  expect(new URL(stack.urls.postgres).port).not.toBe(String(port));
});

test('external servers are checked and used, the others are embedded', async () => {
  await using elsewhere = await start(join(folder, 'elsewhere'), { only: ['nats', 'postgres'] });
  await using stack = await start(join(folder, 'here'), {
    external: { nats: elsewhere.urls.nats, postgres: elsewhere.urls.postgres },
    only: ['nats', 'postgres'],
  });
  expect(stack.servers).toMatchObject([
    { name: 'nats', external: true, pid: 0, version: elsewhere.servers[0]?.version },
    { name: 'postgres', external: true, pid: 0, version: '18.4' },
  ]);
  await postgres(stack.urls.postgres, 'SELECT 1');
});

test('an unreachable external server stops the start and leaves nothing running', async () => {
  const nats = `nats://127.0.0.1:${await freePort()}`;
  await expect(start(folder, { external: { nats }, only: ['nats', 'postgres'] })).rejects.toThrow(/NATS_URL/);
  await using stack = await start(folder, { only: ['postgres'] });
  expect(stack.servers).toHaveLength(1);
});

test.runIf(process.getuid?.() === 0)('as root, a home that only root may enter works', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  await using stack = await start(join(closed, 'home'), { only: ['postgres'] });
  await postgres(stack.urls.postgres, 'CREATE TABLE t (id int)');
  const owner = statSync(`/proc/${stack.servers[0]?.pid}`).uid;
  expect(owner).toBe(65534);
});

test('ClickHouse without a password allows only the internal session, which can read nothing', async () => {
  await using stack = await start(folder, { only: ['clickhouse'] });
  await clickhouse(stack.urls.clickhouse, 'CREATE TABLE secret (id UInt32) ORDER BY id');
  const { origin, host } = new URL(stack.urls.clickhouse);
  await expect(clickhouse(origin, 'SELECT * FROM trellis.secret')).rejects.toThrow(/Not enough privileges/);
  await expect(clickhouse(origin, 'CREATE TABLE trellis.x (id UInt32) ORDER BY id')).rejects.toThrow(/privileges/);
  await expect(clickhouse(`http://trellis:wrong@${host}`, 'SELECT 1')).rejects.toThrow(/Authentication failed/);
});

test('a cancelled start leaves nothing running', async () => {
  const givenUp = new AbortController();
  const starting = start(folder, { signal: givenUp.signal });
  givenUp.abort();
  await expect(starting).rejects.toThrow(/stopped while starting/);
  await using stack = await start(folder, { only: ['nats'] });
  expect(stack.servers).toHaveLength(1);
});
