import { silentLogger } from '@trellis/async';
import { createService, queue } from '@trellis/jobs';
import { provision } from '@trellis/nats';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JanitorConfig } from '../config.ts';
import { type JanitorFixture, type JobIdentity, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { findStrandedWork } from './find-stranded-work.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const MINUTE = 60_000;
const soon = () => Date.now() + 10 * MINUTE;

const look = (settings: Partial<JanitorConfig> = {}, state: unknown = {}, now = soon) =>
  fixture.pass(findStrandedWork(fixture.ports(settings, { now })), state);

async function inQueue(origin: number): Promise<number> {
  const message = await waitFor(() => fixture.work.findByOrigin(origin), {
    what: 'the work message',
  });
  return message.sequence;
}

async function created(job = newJob()): Promise<{ job: JobIdentity; origin: number; work: number }> {
  const origin = await fixture.publish(job, 'created');
  return { job, origin, work: await inQueue(origin) };
}

const dropWork = (sequence: number) => fixture.stream.jsm.streams.deleteMessage('JOBS_WORK', sequence, false);

/** From now on the server copies nothing. */
const cutTheQueue = () => fixture.stream.jsm.streams.update('JOBS_WORK', { sources: [] });

describe('stranded work', () => {
  it('is no old backlog, no drained queue and no young job', async () => {
    await created();
    const { job: done, work } = await created();
    await fixture.publish(done, 'completed', { state: 'completed' });
    await dropWork(work);
    const lost = await created();
    await dropWork(lost.work);
    await fixture.project();

    const young = await look({}, {}, () => Date.now() + 4 * MINUTE);
    expect(young).toMatchObject({ counts: { checked: 0, stranded: 0 }, problems: [] });
    await fixture.postgres.query('delete from jobs where id = $1', [lost.job.id]);
    const old = await look();
    expect(old).toMatchObject({ counts: { checked: 1, stranded: 0 }, problems: [] });
  });

  it('is found among the old pending jobs, and stays reported while the walk is elsewhere', async () => {
    const others = [await created(), await created(), await created(), await created()];
    const lost = await created();
    await dropWork(lost.work);
    await fixture.project();
    const found = { code: 'stranded-jobs', count: 1, jobs: [lost.job.id] };
    const settings = { janitorSampleSize: others.length };

    const first = await look(settings);
    expect(first).toMatchObject({ counts: { checked: 4, stranded: 0 }, problems: [] });
    const second = await look(settings, first.state);
    expect(second).toMatchObject({ counts: { checked: 1, stranded: 1 }, problems: [found] });
    const third = await look(settings, second.state);
    expect(third).toMatchObject({ counts: { checked: 4, stranded: 0 }, problems: [found] });
    await fixture.publish(lost.job, 'cancelled', { state: 'cancelled' });
    await fixture.project();
    const fourth = await look(settings, third.state);
    expect(fourth.problems).toEqual([]);
  });

  it('finds each work message by its origin in a queue of several job types with holes', async () => {
    const jobs = [];
    for (let count = 0; count < 60; count++) jobs.push(newJob('orders-service', count % 3 ? 'many' : 'few'));
    const origins: number[] = [];
    for (const job of jobs) {
      origins.push(await fixture.publish(job, 'created'));
      await fixture.publish(job, 'started', { tries: 1 });
    }
    await waitFor(async () => (await fixture.work.state()).messages === 60, { what: 'the queue to be filled' });
    for (const sequence of [1, 2, 10, 11, 12, 30, 60]) await dropWork(sequence);
    for (const [index, origin] of origins.entries()) {
      const found = await fixture.work.findByOrigin(origin);
      const gone = [1, 2, 10, 11, 12, 30, 60].includes(index + 1);
      expect(found?.sequence).toBe(gone ? undefined : index + 1);
    }
  });

  it('is seen from the ends of the two streams when nothing arrives any more', async () => {
    await created();
    await cutTheQueue();
    const late = newJob();
    const origin = await fixture.publish(late, 'created');

    expect((await look({}, {}, Date.now)).problems).toEqual([]);
    const { problems } = await look();
    expect(problems).toMatchObject([{ code: 'work-behind', missing: origin, arrived: 1 }]);
  });

  it('is seen when JOBS was restored from an older copy', async () => {
    await created();
    await created();
    await fixture.stream.jsm.streams.delete('JOBS');
    await provision(fixture.nc);
    expect((await look()).problems).toMatchObject([{ code: 'work-ahead', jobsLastSequence: 0, arrived: 2 }]);
  });

  it('is only reported unless the operator wants the cure', async () => {
    await created();
    await cutTheQueue();
    await fixture.publish(newJob(), 'created');
    await look();
    expect((await fixture.work.state()).messages).toBe(1);
  });

  it('runs after the cure, once, and nothing that had ended runs again', async () => {
    const ran: string[] = [];
    const service = await createService({
      name: 'orders-service',
      nats: fixture.nc,
      queues: { 'reserve-inventory': queue({ payload: z.object({ order: z.string() }), ackWaitMs: 2_000 }) },
      log: silentLogger(),
    });
    const ref = await service.jobs.reserveInventory.create({ order: 'first' });
    await service.jobs.reserveInventory.handle((job) => {
      ran.push(job.payload.order);
    });
    await ref.wait();
    await waitFor(async () => (await fixture.work.state()).messages === 0, { what: 'the queue to be empty' });
    await cutTheQueue();
    const stranded = newJob();
    await fixture.publish(stranded, 'created', { payload: { order: 'second' } });
    const stopped = newJob();
    await fixture.publish(stopped, 'created', { payload: { order: 'third' } });
    await fixture.publish(stopped, 'cancelled', { state: 'cancelled' });
    await fixture.project();

    const cured = await look({ repairStrandedWork: true });

    expect(cured).toMatchObject({
      counts: { stranded: 1, queueRecreated: 1 },
      problems: [{ code: 'stranded-jobs', jobs: [stranded.id] }],
    });
    await waitFor(async () => (await fixture.eventsOf(stranded)).includes('completed'), {
      timeoutMs: 20_000,
      what: 'the stranded job to run',
    });
    await waitFor(async () => (await fixture.work.state()).messages === 0, { what: 'the queue to be empty' });
    expect(ran).toEqual(['first', 'second']);
    await service.stop();
  });

  it('is cured once, not at every pass, and consumers of other makes come back as they were', async () => {
    const { job } = await created();
    await fixture.stream.jsm.consumers.add('JOBS_WORK', {
      durable_name: 'orders-service-reserve-inventory',
      filter_subject: `trellis.work.${job.service}.${job.type}`,
      ack_policy: 'explicit',
      max_deliver: 3,
    });
    await cutTheQueue();
    await fixture.publish(newJob(), 'created');
    const settings = { repairStrandedWork: true };

    const first = await look(settings);
    expect(first.counts).toMatchObject({ queueRecreated: 1 });
    const consumer = await fixture.stream.jsm.consumers.info('JOBS_WORK', 'orders-service-reserve-inventory');
    expect(consumer.config.max_deliver).toBe(3);
    await waitFor(async () => (await fixture.work.state()).messages === 2, { what: 'the queue to be filled again' });

    await cutTheQueue();
    await fixture.publish(newJob(), 'created');
    const second = await look(settings, first.state);
    expect(second.counts).toMatchObject({ waitingAfterRecreation: 1 });
    const third = await look(settings, second.state, () => Date.now() + 60 * MINUTE);
    expect(third.counts).toMatchObject({ queueRecreated: 1 });
  });
});
