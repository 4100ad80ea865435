import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { heartbeatSubject } from '@trellis/contracts';
import { openPostgres } from '@trellis/store-postgres';
import { freshPostgres, startTestNats, waitFor } from '@trellis/test-support';
import { afterEach, expect, it } from 'vitest';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
});

/** The aggregator as its own process, as it is run for real; ready when this resolves. */
async function startAggregator(env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname], {
    env: { PATH: process.env.PATH, HEALTH_PORT: '0', HEALTH_HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const port = Promise.withResolvers<number>();
  child.once('exit', (code) => port.reject(new Error(`the aggregator ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as { port?: number };
    if (entry.port !== undefined) port.resolve(entry.port);
  });
  const ready = `http://127.0.0.1:${await port.promise}/ready`;
  await waitFor(async () => (await fetch(ready)).ok, { what: 'the aggregator to be ready', timeoutMs: 20_000 });
  return child;
}

it('the aggregator makes what it needs, shows every live worker when it is ready again after it was killed, and stops when told', async () => {
  await using nats = await startTestNats();
  await using database = await freshPostgres();
  await using postgres = openPostgres({ url: database.url });
  const env = { NATS_URL: nats.url, DATABASE_URL: database.url };
  const nc = await nats.connect();
  const beat = (instanceId: string) =>
    nc.publish(
      heartbeatSubject('s', 't', instanceId),
      JSON.stringify({ service: 's', jobType: 't', instanceId, timestamp: new Date().toISOString() }),
    );
  const live = async () => {
    const { rows } = await postgres.query(`select instance_id from workers where status = 'live' order by 1`);
    return rows.map(({ instance_id }) => instance_id);
  };

  const first = await startAggregator(env);
  beat('a');
  await waitFor(async () => (await live()).join() === 'a', { what: 'the first worker' });
  first.kill('SIGKILL');
  beat('b');
  // Nothing is left but what the stream has.
  await postgres.query('truncate workers');
  const second = await startAggregator(env);
  expect(await live()).toEqual(['a', 'b']);

  const ended = once(second, 'exit');
  second.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  const { rows } = await postgres.query(`select lease_until <= clock_timestamp() as free from pipelines`);
  expect(rows).toEqual([{ free: true }]);
});
