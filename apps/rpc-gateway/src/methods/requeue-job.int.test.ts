// Jobs.Retry, Jobs.ReplayDLQ and Jobs.DismissDLQ against a real stream.
import { silentLogger } from '@trellis/async';
import { waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const jobs = () => gateway.client.rpc.jobs;
const ACTIONS = [
  { name: 'Jobs.Retry', from: 'failed', call: (id: string) => jobs().retry({ id, reason: 'fixed' }) },
  { name: 'Jobs.ReplayDLQ', from: 'dead', call: (id: string) => jobs().replayDLQ({ id, reason: 'fixed' }) },
] as const;
const other = { failed: 'dead', dead: 'failed' } as const;

const refused = async (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const lastEvent = async (id: string) => (await gateway.stream.readJob(id)).events.at(-1)?.event;
const workMessages = async () => (await gateway.stream.jsm.streams.info('JOBS_WORK')).state.messages;

describe.for(ACTIONS)('$name', ({ name, from, call }) => {
  it('queues the job again with its payload, its attempts and a new deadline, and says who and why', async () => {
    const deadline = new Date(Date.now() - 60_000).toISOString();
    const timestamp = new Date(Date.now() - 90_000).toISOString();
    const job = await gateway.jobIn(from, { payload: { sku: 1 }, maxTries: 2, deadline, timestamp });
    const before = Date.now();
    const reply = await gateway.request(name, { id: job.id, reason: 'fixed' }, { 'actor-id': 'ann' });
    expect(reply.body).toMatchObject({
      job: { id: job.id, state: 'pending', tries: 0, maxTries: 2, payload: { sku: 1 }, lastError: 'no stock' },
    });
    const event = await lastEvent(job.id);
    expect(event).toMatchObject({
      eventType: 'retried',
      previousState: from,
      actor: { kind: 'operator', id: 'ann' },
      reason: 'fixed',
      context: { requestId: `req-${job.id}` },
    });
    // Replay that keeps the old deadline would expire at the janitor's next tick.
    const newDeadline = Date.parse(event?.deadline ?? '');
    expect(newDeadline).toBeGreaterThanOrEqual(before + 30_000);
    expect(newDeadline).toBeLessThanOrEqual(Date.now() + 30_000);
    expect(reply.body).toMatchObject({ job: { deadline: event?.deadline } });
  });

  it(`refuses a job that is not ${from}, naming its state and the one that is accepted`, async () => {
    const job = await gateway.jobIn(other[from]);
    expect(await refused(call(job.id))).toMatchObject({
      code: 'state-conflict',
      message: `job ${job.id} is ${other[from]}; ${name} accepts ${from}`,
      details: { jobId: job.id, context: { state: other[from], accepted: [from] } },
    });
    expect(await refused(call('nobody'))).toMatchObject({ code: 'not-found' });
  });

  it('stores one event for a thousand calls at once; every caller gets the job, or the state that it is in by now', async () => {
    const job = await gateway.jobIn(from);
    const results = await Promise.allSettled(Array.from({ length: 1_000 }, () => call(job.id)));
    expect(await gateway.eventsOf(job, 'retried')).toBe(1);
    const states = new Set<string>();
    for (const result of results) {
      if (result.status === 'fulfilled') states.add(result.value.job.state);
      else expect(result.reason).toMatchObject({ code: 'state-conflict', details: { context: { state: 'pending' } } });
    }
    expect([...states]).toEqual(['pending']);
  });

  it('answers from the stream when the projection is behind, and with what became of the job when that was quick', async () => {
    const late = await gateway.jobIn(from);
    gateway.projection.hold();
    try {
      expect(await call(late.id)).toMatchObject({ job: { state: 'pending', tries: 0 }, projected: false });
    } finally {
      gateway.projection.resume();
    }
    const quick = await gateway.jobIn(from);
    gateway.projection.hold();
    const reply = call(quick.id);
    await waitFor(async () => (await lastEvent(quick.id))?.eventType === 'retried', { what: 'the retried event' });
    await gateway.publish(quick, 'started');
    await gateway.publish(quick, 'completed', { state: 'completed' });
    gateway.projection.resume();
    expect(['pending', 'active', 'completed']).toContain((await reply).job.state);
    expect(await gateway.eventsOf(quick, 'retried')).toBe(1);
  });

  it('never tells of a stored event that it failed, whatever fails afterwards', async () => {
    const job = await gateway.jobIn(from, { payload: { sku: 7 } });
    gateway.projection.hold();
    try {
      const away = () => Promise.reject(new Error('the server is away'));
      const { reader, stream } = gateway;
      let looks = 0;
      // The look that decides still succeeds.
      const lastOfEvents = (...args: Parameters<typeof stream.lastOfEvents>) =>
        looks++ === 0 ? stream.lastOfEvents(...args) : away();
      const ports = {
        ...gateway.ports,
        stream: Object.create(stream, { readJob: { value: away }, lastOfEvents: { value: lastOfEvents } }),
        reader: Object.create(reader, {
          getJobHead: { value: (id: string) => reader.getJobHead(id) },
          getJob: { value: away },
        }),
      };
      const { retryJob } = await import('./retry-job.ts');
      const { replayDlq } = await import('./replay-dlq.ts');
      const call = { requestId: 'r', traceId: undefined, actorId: undefined, log: silentLogger(), maxReplyBytes: 1e6 };
      const data = Buffer.from(JSON.stringify({ id: job.id }));
      const reply = await (from === 'failed' ? retryJob : replayDlq).handle(data, call, ports);
      expect(JSON.parse(reply.toString())).toMatchObject({
        job: { state: 'pending', payload: { sku: 7 } },
        projected: false,
      });
      expect(await gateway.eventsOf(job, 'retried')).toBe(1);
    } finally {
      gateway.projection.resume();
    }
  });

  it.for(['pending', 'active', 'retry'] as const)('decides by the stream when its row still says %s', async (state) => {
    const job = await gateway.jobIn(state);
    gateway.projection.hold();
    try {
      await gateway.publish(job, from, { state: from });
      expect(await call(job.id)).toMatchObject({ job: { state: 'pending' }, projected: false });
    } finally {
      gateway.projection.resume();
    }
  });

  it('decides by row and stream together when the head of the job is gone from the stream', async () => {
    const job = await gateway.jobIn('completed');
    await gateway.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.${job.service}.${job.type}.${job.id}.*` });
    // A line that came late says active, but the job has ended.
    await gateway.publish(job, 'logged', { logs: [] });
    expect(await refused(call(job.id))).toMatchObject({ details: { context: { state: 'completed' } } });
    expect(await refused(jobs().cancel({ id: job.id }))).toMatchObject({
      details: { context: { state: 'completed' } },
    });
  });

  it('says that the payload is gone when the stream no longer holds the created event', async () => {
    const job = await gateway.jobIn(from);
    const subject = `trellis.jobs.${job.service}.${job.type}.${job.id}.created`;
    await gateway.stream.jsm.streams.purge('JOBS', { filter: subject });
    const error = await refused(call(job.id));
    expect(error).toMatchObject({ code: 'state-conflict', type: 'ValidationError' });
    expect(String(error)).toMatch(/cannot run again: its created event, .*, is no longer in the stream/);
    expect(await gateway.eventsOf(job, 'retried')).toBe(0);
  });

  it('removes the left-over work message of the run before, and never one of another job', async () => {
    const owner = newJob('leftover-service', `type-of-${from}`);
    const innocent = newJob(owner.service, owner.type);
    await gateway.publish(innocent, 'created');
    await gateway.publish(owner, 'created');
    const work = await waitFor(
      async () => {
        const { state } = await gateway.stream.jsm.streams.info('JOBS_WORK');
        const found = [];
        for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
          const message = await gateway.stream.jsm.streams.getMessage('JOBS_WORK', { seq });
          if (message?.subject === `trellis.work.${owner.service}.${owner.type}`) found.push(message.seq);
        }
        return found.length === 2 && found;
      },
      { what: 'both work messages' },
    );
    await gateway.publish(owner, 'started', { workSequence: work[0] as number });
    await gateway.publish(owner, from, { state: from, workSequence: work[1] as number });
    await gateway.projected();
    const before = await workMessages();
    await call(owner.id);
    await waitFor(async () => (await workMessages()) === before, { what: 'one message less and one more' });
    const left = await Promise.all(work.map((seq) => gateway.stream.jsm.streams.getMessage('JOBS_WORK', { seq })));
    expect(left.map((message) => message !== null)).toEqual([true, false]);
  });
});

describe('Jobs.DismissDLQ', () => {
  it('closes a dead job for good, keeps its error, and says who and why', async () => {
    const job = await gateway.jobIn('dead');
    const reply = await jobs().dismissDLQ({ id: job.id, reason: 'no longer needed' }, { actorId: 'ann' });
    expect(reply).toMatchObject({ job: { state: 'dismissed', lastError: 'no stock' } });
    expect(await lastEvent(job.id)).toMatchObject({
      eventType: 'dismissed',
      actor: { kind: 'operator', id: 'ann' },
      reason: 'no longer needed',
    });
    expect(await refused(jobs().replayDLQ({ id: job.id }))).toMatchObject({
      code: 'state-conflict',
      details: { context: { state: 'dismissed', accepted: ['dead'] } },
    });
  });

  it('of dismissing and replaying at once exactly one happens', async () => {
    for (let round = 0; round < 5; round++) {
      const job = await gateway.jobIn('dead');
      const results = await Promise.allSettled([jobs().dismissDLQ({ id: job.id }), jobs().replayDLQ({ id: job.id })]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await gateway.eventsOf(job, 'dismissed')) + (await gateway.eventsOf(job, 'retried'))).toBe(1);
    }
  });
});

describe('Jobs.ListDLQ', () => {
  it('is Jobs.List of the dead jobs', async () => {
    const job = await gateway.jobIn('dead');
    await gateway.jobIn('failed');
    const { body } = await gateway.request('Jobs.ListDLQ', { limit: 1_000 });
    expect((body.entries as { id: string; state: string }[]).map(({ state }) => state)).not.toContain('failed');
    expect(body).toMatchObject({ entries: expect.arrayContaining([expect.objectContaining({ id: job.id })]) });
    const wrong = await gateway.request('Jobs.ListDLQ', { limit: 1, state: ['failed'] });
    expect(wrong.body).toMatchObject({ type: 'ValidationError', message: 'state: expected ["dead"] or nothing' });
  });
});
