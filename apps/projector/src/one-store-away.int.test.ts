// Both pipelines of one process on one tail, while one of the stores is away.
import { loop, silentLogger } from '@trellis/async';
import { openClickHouse } from '@trellis/store-clickhouse';
import { freshClickHouse, waitFor } from '@trellis/test-support';
import { expect, it } from 'vitest';
import { runHistoryPipeline } from './history/pipeline.ts';
import { SharedTail } from './tail/shared-tail.ts';
import { clickHouseRelay } from './testing/clickhouse-relay.ts';
import { startTestProjection } from './testing/projection-fixture.ts';
import { event } from './testing/sample-event.ts';

it('the other store gets every event meanwhile; the one that comes back gets all of them too', async () => {
  await using projection = await startTestProjection();
  await using fresh = await freshClickHouse();
  await using relay = await clickHouseRelay(fresh.url);
  await using throughRelay = openClickHouse({ url: relay.url });
  await using clickhouse = openClickHouse({ url: fresh.url });
  const stopped = new AbortController();
  const { stream } = projection;
  const log = silentLogger();
  const window = { messages: 20, bytes: 1_000_000 };
  const tail = new SharedTail({ stream, log, maxMessages: 10, lingerMs: 1, idleCheckMs: 50, window, patienceMs: 50 });
  const limit = { rows: 20, bytes: 1_000_000 };
  const paceMs = { caughtUp: 20, rest: 50, behind: 50 };
  const history = loop('history', {
    signal: stopped.signal,
    log,
    backoff: { firstMs: 20, maxMs: 200 },
    run: (signal) =>
      runHistoryPipeline({ stream, clickhouse: throughRelay, owner: 'test', log, signal, tail, limit, paceMs }),
  });
  projection.start({ tail });
  const stored = async () => {
    const result = await clickhouse.client.query({
      query: 'SELECT count() AS events, uniqExact(stream_sequence) AS sequences FROM events',
      format: 'JSONEachRow',
    });
    const [row] = await result.json<{ events: string | number; sequences: string | number }>();
    return [Number(row?.events), Number(row?.sequences)];
  };
  const publish = (from: number, count: number) =>
    projection.publishEvents(...Array.from({ length: count }, (_, index) => event(`J${from + index}`, 'created')));

  await publish(0, 5);
  await projection.caughtUp();
  await waitFor(async () => (await stored().catch(() => []))[0] === 5, { what: 'the first events', timeoutMs: 20_000 });
  relay.insertFate = () => 'lose';
  await publish(5, 200);
  await projection.caughtUp();
  expect((await stored())[0]).toBe(5);
  expect(await projection.rows('select count(*) from jobs')).toEqual([{ count: 205 }]);

  relay.insertFate = () => 'pass';
  await waitFor(async () => (await stored())[0] === 205, { what: 'all events', timeoutMs: 20_000 });
  expect(await stored()).toEqual([205, 205]);
  stopped.abort();
  await history.done;
});
