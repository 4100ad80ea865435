import { HistoryReply } from '@trellis/contracts';
import { HistoryReader, openClickHouse } from '@trellis/store-clickhouse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FilledHistory, filledHistory } from '../testing/filled-history.ts';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { type JobIdentity, newJob } from '../testing/job-events.ts';

const KIB = 1_024;
const stack = new AsyncDisposableStack();
let history: FilledHistory;
let gateway: GatewayFixture;
beforeAll(async () => {
  history = stack.use(await filledHistory());
  gateway = stack.use(await startGateway({ history: history.reader, natsConfig: `max_payload: ${64 * KIB}` }));
});
afterAll(() => stack.disposeAsync());

async function ask(id: string, more: { after?: number; limit?: number } = {}) {
  return HistoryReply.parse(await gateway.client.rpc.jobs.history({ id, ...more }));
}

async function withoutHistory<T>(other: HistoryReader | undefined, run: () => Promise<T>): Promise<T> {
  const own = gateway.ports.history;
  gateway.ports.history = other;
  try {
    return await run();
  } finally {
    gateway.ports.history = own;
  }
}

const types = ({ entries }: HistoryReply) => entries.map(({ event, state }) => `${event.eventType}:${state}`);

/** What retention, or somebody's hand, leaves of a job. */
const purge = (job: JobIdentity, events: string) =>
  gateway.stream.jsm.streams.purge('JOBS', {
    filter: `trellis.jobs.${job.service}.${job.type}.${job.id}.${events}`,
  });

it('gives every event in order, with the state after each and why one changed nothing', async () => {
  const job = newJob();
  await gateway.publish(job, 'created', { payload: { sku: 'A-1' }, maxTries: 3 });
  await gateway.publish(job, 'started', {
    tries: 1,
    instanceId: 'host-1',
    concurrency: { key: 'k', keyHash: 'h', slotToken: 'secret' },
  });
  await gateway.publish(job, 'cancelRequested', { actor: { kind: 'operator', id: 'ann' }, reason: 'customer called' });
  await gateway.publish(job, 'cancelled', { state: 'cancelled', tries: 1 });
  await gateway.publish(job, 'completed', { state: 'completed', tries: 1 });
  const reply = await ask(job.id);
  expect(reply).toMatchObject({ id: job.id, service: job.service, type: job.type, complete: true });
  expect(types(reply)).toEqual([
    'created:pending',
    'started:active',
    'cancelRequested:active',
    'cancelled:cancelled',
    'completed:cancelled',
  ]);
  expect(reply.entries.map(({ ignored }) => ignored)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    'already-ended',
  ]);
  expect(reply.entries[2]?.event).toMatchObject({ actor: { kind: 'operator', id: 'ann' }, reason: 'customer called' });
  expect(reply.entries[1]?.event.concurrency).toEqual({ key: 'k', keyHash: 'h' });
  expect(JSON.stringify(reply)).not.toContain('secret');
  expect(reply.nextAfter).toBeUndefined();
});

it('pages, with states that know the events before the page', async () => {
  const job = newJob();
  await gateway.publish(job, 'created', { payload: {} });
  await gateway.publish(job, 'started', { tries: 1 });
  await gateway.publish(job, 'progress', { progress: { step: 'one' } });
  const first = await ask(job.id, { limit: 2 });
  expect(types(first)).toEqual(['created:pending', 'started:active']);
  const rest = await ask(job.id, { limit: 2, after: first.nextAfter ?? 0 });
  expect([types(rest), rest.nextAfter]).toEqual([['progress:active'], undefined]);
});

it('holds as many events as fit into a message, one that is too large by itself without its bodies', async () => {
  const job = newJob();
  await gateway.publish(job, 'created', { payload: { text: 'x'.repeat(40 * KIB) } });
  await gateway.publish(job, 'started', { tries: 1 });
  await gateway.publish(job, 'completed', { state: 'completed', result: 'y'.repeat(61 * KIB) });
  const first = await ask(job.id);
  expect(types(first)).toEqual(['created:pending', 'started:active']);
  expect(first.entries[0]?.omitted).toBeUndefined();
  const rest = await ask(job.id, { after: first.nextAfter ?? 0 });
  expect(types(rest)).toEqual(['completed:completed']);
  expect(rest.entries[0]).toMatchObject({ omitted: ['result'] });
  expect(rest.entries[0]?.event).not.toHaveProperty('result');
});

describe('what the stream no longer holds', () => {
  async function agedJob(): Promise<JobIdentity> {
    const job = newJob();
    await gateway.publish(job, 'created', { payload: { sku: 'A-1' }, maxTries: 3 });
    await gateway.publish(job, 'started', { tries: 1 });
    await gateway.publish(job, 'failed', { state: 'failed', tries: 1, error: 'no stock' });
    await history.copy(gateway.stream);
    await gateway.projected();
    return job;
  }

  it('comes from the history, and is there once', async () => {
    const job = await agedJob();
    await purge(job, 'created');
    await purge(job, 'started');
    const reply = await ask(job.id);
    expect(types(reply)).toEqual(['created:pending', 'started:active', 'failed:failed']);
    expect(reply.complete).toBe(true);
    expect(reply.entries[0]?.event.payload).toEqual({ sku: 'A-1' });
  });

  it('comes from the history for a job that is wholly gone from stream and projection', async () => {
    const job = await agedJob();
    await purge(job, '*');
    await gateway.postgres.query('delete from jobs where id = $1', [job.id]);
    const reply = await ask(job.id);
    expect([reply.service, reply.type, reply.complete]).toEqual([job.service, job.type, true]);
    expect(types(reply)).toEqual(['created:pending', 'started:active', 'failed:failed']);
  });

  it('is missing, and said to be, where there is no history or none that answers', async () => {
    const job = await agedJob();
    await purge(job, 'created');
    await using nowhere = openClickHouse({ url: 'http://127.0.0.1:1' });
    for (const other of [undefined, new HistoryReader(nowhere)]) {
      const reply = await withoutHistory(other, () => ask(job.id));
      expect([types(reply), reply.complete]).toEqual([['started:active', 'failed:failed'], false]);
    }
  });

  it('makes the answer unavailable where nothing else knows the job and the history does not answer', async () => {
    await using nowhere = openClickHouse({ url: 'http://127.0.0.1:1' });
    await withoutHistory(new HistoryReader(nowhere), () =>
      expect(ask('nobody-knows')).rejects.toMatchObject({ code: 'unavailable' }),
    );
  });
});

it('knows no job of which there is nothing anywhere', async () => {
  await expect(ask('nobody')).rejects.toMatchObject({ code: 'not-found', details: { jobId: 'nobody' } });
  await withoutHistory(undefined, () => expect(ask('nobody')).rejects.toMatchObject({ code: 'not-found' }));
});
