import { Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';
import { PIPELINE_RECORD_KEY } from '@trellis/contracts';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JanitorConfig } from '../config.ts';
import { historyRecord } from '../testing/history-record.ts';
import { type JanitorFixture, type JobIdentity, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { purgeEnded } from './purge-ended.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
  // The duplicate window of the tests; what waits for a longer one has its own case.
  await fixture.stream.jsm.streams.update('JOBS', { duplicate_window: nanos(100) });
});
afterEach(() => fixture[Symbol.asyncDispose]());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
/** So much later that every duplicate window of the tests is over. */
const later = () => Date.now() + MINUTE;

async function ended(state: 'completed' | 'failed' | 'dead', endedAt: string): Promise<JobIdentity> {
  const job = newJob();
  await fixture.publish(job, 'created', { timestamp: ago(5 * HOUR) });
  await fixture.publish(job, state, { state, timestamp: endedAt });
  return job;
}

async function historyAt(position: number): Promise<void> {
  const kv = await new Kvm(fixture.nc).create('JOBS_PIPELINES');
  const { created: streamCreated } = await fixture.stream.info();
  await kv.put(PIPELINE_RECORD_KEY, historyRecord({ position, streamCreated }));
}

async function everythingPassed(): Promise<void> {
  await fixture.project();
  await historyAt((await fixture.stream.info()).lastSequence);
}

const pass = (settings: Partial<JanitorConfig>, state: unknown = {}, now = later) =>
  fixture.pass(purgeEnded(fixture.ports(settings, { now })), state);

const oneHour = { janitorRetention: { completed: HOUR, failed: 3 * HOUR } };

describe('retention', () => {
  it('removes ended jobs from the stream by their state and age, and their rows after them', async () => {
    const done = await ended('completed', ago(2 * HOUR));
    const fresh = await ended('completed', ago(10 * MINUTE));
    const failed = await ended('failed', ago(2 * HOUR));
    const longFailed = await ended('failed', ago(4 * HOUR));
    const dead = await ended('dead', ago(4 * HOUR));
    const open = newJob();
    await fixture.publish(open, 'created', { timestamp: ago(5 * HOUR) });
    await everythingPassed();

    const { counts } = await pass(oneHour);

    expect(counts).toEqual({ purged: 2, purgedEvents: 4, removed: 2 });
    for (const job of [done, longFailed]) expect(await fixture.eventsOf(job)).toEqual([]);
    for (const job of [fresh, failed, dead, open]) expect(await fixture.eventsOf(job)).not.toEqual([]);
    expect(await fixture.rowIds()).toEqual([fresh, failed, dead, open].map(({ id }) => id).sort());
  });

  it('does nothing unless it is set', async () => {
    await ended('completed', ago(4 * HOUR));
    await everythingPassed();
    expect(await pass({ janitorRetention: {} })).toEqual({ counts: {} });
  });

  it('removes also what came after the end, and lets the id be used again', async () => {
    const job = await ended('completed', ago(2 * HOUR));
    await fixture.publish(job, 'progress', { progress: { current: 1 } });
    await everythingPassed();
    expect((await pass(oneHour)).counts).toMatchObject({ purged: 1, purgedEvents: 3 });
    await fixture.publish(job, 'created');
    await fixture.project();
    expect(await fixture.stateOf(job)).toBe('pending');
  });

  it('waits for both pipelines', async () => {
    const job = await ended('completed', ago(2 * HOUR));
    await fixture.project();
    const { lastSequence } = await fixture.stream.info();

    expect((await pass(oneHour)).counts).toEqual({ pipelinesUnknown: 1 });
    await historyAt(lastSequence - 1);
    expect((await pass(oneHour)).counts).toMatchObject({ purged: 0, waitingForPipelines: 1 });
    // A late event that is not projected yet: what it means is not known.
    await fixture.publish(job, 'logged', { logs: [] });
    await historyAt(lastSequence + 1);
    expect((await pass(oneHour)).counts).toMatchObject({ purged: 0, waitingForPipelines: 1 });
    await fixture.project();
    expect((await pass(oneHour)).counts).toMatchObject({ purged: 1 });
  });

  it('leaves a job alone that was retried meanwhile, although its row still shows it ended', async () => {
    const job = await ended('failed', ago(4 * HOUR));
    await everythingPassed();
    await fixture.publish(job, 'retried', { state: 'pending', payload: 1 });
    expect((await pass(oneHour)).counts).toMatchObject({ purged: 0, waitingForPipelines: 1 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'failed', 'retried']);
  });

  it('waits until the duplicate window is over, however short the retention is', async () => {
    await fixture.stream.jsm.streams.update('JOBS', { duplicate_window: nanos(2 * MINUTE) });
    await ended('completed', ago(2 * HOUR));
    await everythingPassed();
    const counts = (await pass({ janitorRetention: { completed: 1 } })).counts;
    expect(counts).toMatchObject({ purged: 0, waitingForDuplicateWindow: 1 });
    const inThreeMinutes = () => Date.now() + 3 * MINUTE;
    expect((await pass({ janitorRetention: { completed: 1 } }, {}, inThreeMinutes)).counts).toMatchObject({
      purged: 1,
    });
  });

  it('walks in bounded pages, goes on where it was, and hurries only while there is something to remove', async () => {
    for (let count = 0; count < 25; count++) await ended('dead', ago(4 * HOUR));
    for (let count = 0; count < 5; count++) await ended('completed', ago(2 * HOUR));
    await everythingPassed();
    const settings = { ...oneHour, janitorPageSize: 2, janitorPurgesPerSecond: 10_000 };

    const first = await pass(settings);
    expect(first).toMatchObject({ counts: { purged: 0 }, more: false });
    const second = await pass(settings, first.state);
    expect(second).toMatchObject({ counts: { purged: 5, removed: 5 }, more: false });
    expect(second.state).toEqual({});
  });

  it('has two replicas remove each job once', async () => {
    for (let count = 0; count < 30; count++) await ended('completed', ago(2 * HOUR));
    await everythingPassed();
    const settings = { janitorRetention: { completed: HOUR }, janitorPageSize: 7 };
    // The window is over by the real clock too.
    fixture.replica('janitor-a', (ports) => [purgeEnded({ ...ports, now: later })], settings);
    fixture.replica('janitor-b', (ports) => [purgeEnded({ ...ports, now: later })], settings);
    await waitFor(async () => (await fixture.rowIds()).length === 0, { what: 'all rows to go' });
    const { messages } = await fixture.stream.info();
    expect(messages).toBe(0);
    const { rows } = await fixture.postgres.query('select state, count from job_counts');
    expect(rows).toEqual([{ state: 'completed', count: 0 }]);
    expect(await fixture.recorded('retention')).toMatchObject({ error: null });
  });
});
