import { AckPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { provision } from '@trellis/nats';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JanitorFixture, type JobIdentity, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { settleAdvisories } from './settle-advisories.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const settle = () => fixture.pass(settleAdvisories(fixture.ports()));
const workMessages = async () => (await fixture.work.state()).messages;

/** A worker of another make: it leaves it to the server to count, and publishes no `dead`. */
async function addPlainConsumer({ service, type }: JobIdentity, name = `${service}-${type}`): Promise<string> {
  await fixture.stream.jsm.consumers.add('JOBS_WORK', {
    durable_name: name,
    filter_subject: `trellis.work.${service}.${type}`,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(30_000),
    max_deliver: 2,
  });
  return name;
}

/** Takes what is there and refuses it until nothing is delivered any more. */
async function refuseUntilExhausted(consumerName: string, deliveries: number): Promise<void> {
  const consumer = await fixture.stream.js.consumers.get('JOBS_WORK', consumerName);
  for (let count = 0; count < deliveries; ) {
    const message = await consumer.next({ expires: 5_000 });
    if (!message) throw new Error('nothing was delivered');
    count++;
    message.nak();
  }
  // The server says so when somebody pulls again.
  expect(await consumer.next({ expires: 1_000 })).toBeNull();
}

const advisoriesStored = async () => (await fixture.stream.jsm.streams.info('JOBS_ADVISORIES')).state.messages;

/** An advisory as the server would publish it. */
async function advise(fields: Record<string, unknown> | string, consumer = 'orders-service-reserve-inventory') {
  const before = await advisoriesStored();
  const body =
    typeof fields === 'string'
      ? fields
      : JSON.stringify({
          type: 'io.nats.jetstream.advisory.v1.max_deliver',
          id: 'x',
          timestamp: new Date().toISOString(),
          stream: 'JOBS_WORK',
          consumer,
          deliveries: 2,
          ...fields,
        });
  fixture.nc.publish(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.JOBS_WORK.${consumer}`, body);
  await waitFor(async () => (await advisoriesStored()) > before, { what: 'the advisory to be stored' });
}

/** The sequence of the work message that an origin put into the queue. */
async function workSequenceOf(origin: number): Promise<number> {
  const found = await waitFor(() => fixture.work.findByOrigin(origin), {
    what: 'the work message',
  });
  return found.sequence;
}

const allAcked = async () => {
  const info = await fixture.stream.jsm.consumers.info('JOBS_ADVISORIES', 'janitor');
  expect({ pending: info.num_pending, unacked: info.num_ack_pending }).toEqual({ pending: 0, unacked: 0 });
};

describe('max-delivery advisories', () => {
  it('record exhausted work of other workers as dead and remove it, also when no janitor ran at the time', async () => {
    const job = newJob();
    const consumer = await addPlainConsumer(job);
    await fixture.publish(job, 'created');
    await fixture.publish(job, 'started', { tries: 1 });
    await fixture.publish(job, 'retry', { state: 'retry', tries: 1, error: 'no stock' });
    await refuseUntilExhausted(consumer, 2);
    await waitFor(async () => (await advisoriesStored()) === 1, { what: 'the advisory to be stored' });
    expect(await workMessages()).toBe(1);

    const { counts } = await settle();

    expect(counts).toEqual({ advisories: 1, dead: 1 });
    expect(await workMessages()).toBe(0);
    const { job: folded, events } = await fixture.stream.readJob(job.id);
    expect(folded).toMatchObject({ state: 'dead', tries: 1 });
    expect(events.at(-1)?.event).toMatchObject({
      eventType: 'dead',
      error: 'its work was delivered 2 times without success; the last error was: no stock',
      reason: 'max deliveries reached',
      actor: { kind: 'janitor', id: 'janitor-1' },
      workSequence: 1,
    });
    await allAcked();
    expect((await settle()).counts).toEqual({ advisories: 0, dead: 0 });
  });

  it('fit a consumer of any name whose filter covers the work message', async () => {
    const job = newJob();
    const consumer = await addPlainConsumer(job, 'inventory-crew');
    await fixture.publish(job, 'created');
    await refuseUntilExhausted(consumer, 2);
    await waitFor(async () => (await advisoriesStored()) === 1, { what: 'the advisory to be stored' });
    expect((await settle()).counts).toEqual({ advisories: 1, dead: 1 });
  });

  it('only remove the work message of a job that has ended', async () => {
    const job = newJob();
    const origin = await fixture.publish(job, 'created');
    await fixture.publish(job, 'completed', { state: 'completed' });
    await advise({ stream_seq: await workSequenceOf(origin) });

    expect((await settle()).counts).toEqual({ advisories: 1, dead: 0, ended: 1 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'completed']);
    expect(await workMessages()).toBe(0);
  });

  it('do not touch a later run of the job: the old message goes, the new one stays', async () => {
    const job = newJob();
    const origin = await fixture.publish(job, 'created');
    await fixture.publish(job, 'failed', { state: 'failed' });
    const second = await fixture.publish(job, 'retried', { state: 'pending', payload: 1 });
    await advise({ stream_seq: await workSequenceOf(origin) });

    expect((await settle()).counts).toEqual({ advisories: 1, dead: 0, superseded: 1 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'failed', 'retried']);
    expect(await fixture.work.findByOrigin(origin)).toBeUndefined();
    expect(await fixture.work.findByOrigin(second)).toBeDefined();
  });

  it('of a work queue that was made anew since do not kill an innocent job', async () => {
    const first = newJob();
    const origin = await fixture.publish(first, 'created');
    await advise({ stream_seq: await workSequenceOf(origin) });
    await fixture.stream.jsm.streams.delete('JOBS_WORK');
    await fixture.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${first.id}.*` });
    await provision(fixture.nc);
    const innocent = newJob();
    const other = await fixture.publish(innocent, 'created');
    expect(await workSequenceOf(other)).toBe(1);

    expect((await settle()).counts).toEqual({ advisories: 1, dead: 0, 'another-message': 1 });
    expect(await fixture.eventsOf(innocent)).toEqual(['created']);
    expect(await workMessages()).toBe(1);
  });

  it('that make no sense are counted and passed over, and the next one is settled all the same', async () => {
    const foreign = newJob('other-service', 'other');
    const unknown = newJob();
    const job = newJob();
    const foreignOrigin = await fixture.publish(foreign, 'created');
    const unknownOrigin = await fixture.publish(unknown, 'created');
    const origin = await fixture.publish(job, 'created');
    await advise('{not json');
    await advise({ stream_seq: 'one' });
    await advise({ stream_seq: 1, timestamp: 'yesterday' });
    await advise({ stream_seq: 1, stream: 'ELSEWHERE' });
    await advise({ stream_seq: 999 });
    await advise({ stream_seq: await workSequenceOf(foreignOrigin) });
    const unknownSequence = await workSequenceOf(unknownOrigin);
    await fixture.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${unknown.id}.*` });
    await advise({ stream_seq: unknownSequence });
    await fixture.stream.js.publish('trellis.work.orders-service.reserve-inventory', 'straight into the queue');
    await advise({ stream_seq: (await fixture.work.state()).lastSequence });
    await advise({ stream_seq: await workSequenceOf(origin) });

    expect((await settle()).counts).toEqual({
      advisories: 9,
      dead: 1,
      malformed: 4,
      'message-gone': 1,
      'another-queue': 1,
      'unknown-job': 1,
      'not-sourced': 1,
    });
    await allAcked();
    expect(await fixture.eventsOf(foreign)).toEqual(['created']);
    expect(await fixture.eventsOf(job)).toEqual(['created', 'dead']);
    // Only what is understood is removed.
    expect(await workMessages()).toBe(3);
  });

  it('that cannot be settled now come again', async () => {
    const job = newJob();
    const origin = await fixture.publish(job, 'created');
    await advise({ stream_seq: await workSequenceOf(origin) });
    const { stream } = fixture;
    const broken = Object.create(stream, {
      readJob: { value: () => Promise.reject(new Error('no answer')) },
    });
    const failed = await fixture.pass(settleAdvisories(fixture.ports({}, { stream: broken })));
    expect(failed.counts).toMatchObject({ dead: 0, postponed: 1 });
    // Its wait is over when it is delivered again.
    await waitFor(async () => (await settle()).counts.dead === 1, { timeoutMs: 15_000, what: 'the second try' });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'dead']);
  });

  it('are shared by two replicas without a second event', async () => {
    const jobs = Array.from({ length: 40 }, () => newJob());
    const consumer = await addPlainConsumer({ id: '', service: 'orders-service', type: 'reserve-inventory' });
    for (const job of jobs) await fixture.publish(job, 'created');
    await refuseUntilExhausted(consumer, 80);
    await waitFor(async () => (await advisoriesStored()) === 40, { what: 'forty advisories' });
    const duties = ['janitor-a', 'janitor-b'].map((instanceId) => settleAdvisories(fixture.ports({ instanceId })));

    const passes = await Promise.all(duties.map((duty) => fixture.pass(duty)));

    expect(passes.reduce((sum, { counts }) => sum + (counts.dead ?? 0), 0)).toBe(40);
    const events = await Promise.all(jobs.map((job) => fixture.eventsOf(job)));
    expect(new Set(events.map((list) => list.join()))).toEqual(new Set(['created,dead']));
    expect(await workMessages()).toBe(0);
  });
});
