// Fresh databases are empty and private, and a restarted server still has its data.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { freshClickHouse, freshPostgres, startTestNats, waitFor } from './index.ts';

test('two fresh PostgreSQL databases share nothing and are gone after use', async () => {
  let gone: string;
  {
    await using one = await freshPostgres();
    await using other = await freshPostgres();
    gone = one.url;
    const first = new Client({ connectionString: one.url });
    const second = new Client({ connectionString: other.url });
    // Dropping the database cuts the connections.
    for (const client of [first, second]) client.on('error', () => {});
    await Promise.all([first.connect(), second.connect()]);
    await first.query('CREATE TABLE only_here (id int)');
    await expect(second.query('SELECT * FROM only_here')).rejects.toThrow(/does not exist/);
    await second.end();
  }
  await expect(new Client({ connectionString: gone }).connect()).rejects.toThrow(/does not exist/);
});

test('a fresh ClickHouse database is the default one of its URL and is gone after use', async () => {
  const ask = async (url: string, sql: string) => {
    const { origin, pathname, username, password } = new URL(url);
    const answer = await fetch(`${origin}/?database=${pathname.slice(1)}`, {
      method: 'POST',
      body: sql,
      headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password },
    });
    return answer.text();
  };
  let url: string;
  {
    await using fresh = await freshClickHouse();
    url = fresh.url;
    await ask(url, 'CREATE TABLE here (id UInt32) ORDER BY id');
    await ask(url, 'INSERT INTO here VALUES (1), (2)');
    expect(await ask(url, 'SELECT count() FROM here')).toBe('2\n');
  }
  expect(await ask(url, 'SELECT count() FROM here')).toMatch(/does not exist/);
});

test('a killed test NATS keeps its acknowledged messages and its port', async () => {
  await using nats = await startTestNats();
  const connection = await nats.connect();
  await (await jetstreamManager(connection)).streams.add({ name: 'S', subjects: ['s.>'] });
  const js = jetstream(connection);
  for (let n = 0; n < 100; n++) await js.publish('s.x', String(n));

  await nats.kill();
  expect(nats.server.running).toBe(false);
  await nats.restart();

  const info = await (await jetstreamManager(connection)).streams.info('S');
  expect(info.state.messages).toBe(100);
});

test('the error of waitFor says what it waited for and the last result', async () => {
  await expect(waitFor(() => false, { timeoutMs: 30, what: 'the end of days' })).rejects.toThrow(
    'waited 0.03 s for the end of days (last answer: false)',
  );
});
