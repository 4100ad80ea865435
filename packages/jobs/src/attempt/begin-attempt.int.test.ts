import type { JsMsg } from '@nats-io/jetstream';
import { silentLogger } from '@trellis/async';
import { decodeEvent, type EventType, type LifecycleEvent } from '@trellis/contracts';
import { JobStream } from '@trellis/nats';
import { startTestNats, waitFor } from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { AckBatcher } from '../delivery/ack-batcher.ts';
import { Delivery } from '../delivery/delivery.ts';
import type { Work } from '../delivery/work-message.ts';
import { queue } from '../queue.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { newCounts, type WorkerScope } from '../worker/worker-scope.ts';
import { beginAttempt } from './begin-attempt.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const ACK_WAIT_MS = 4_000;

interface Answers {
  acked: number;
  termed: number;
  naks: (number | undefined)[];
}

/** A job in the stream, and deliveries of its work to workers that are not there. */
async function job(options: { maxTries?: number; dlq?: boolean; stream?: JobStream } = {}) {
  const service = newName();
  const jobId = ulid();
  const say = (eventType: EventType, changes: Partial<LifecycleEvent> = {}) =>
    bench.publish({ jobId, service, jobType: 't', eventType, ...changes });
  const created = await say('created', { payload: { n: 1 }, maxTries: options.maxTries ?? 3 });
  const scope = (instanceId = ulid()): WorkerScope => ({
    service,
    jobType: 't',
    instanceId,
    version: undefined,
    joinTraceMs: 0,
    queue: queue({ payload: z.object({ n: z.number() }), dlq: options.dlq ?? true, backoffMs: [60_000] }),
    stream: options.stream ?? bench.stream,
    log: silentLogger(),
    counts: newCounts(),
    acks: new AckBatcher((options.stream ?? bench.stream).pipe),
    halt: new AbortController().signal,
  });
  const deliver = async (
    originSequence: number,
    deliveryCount = 1,
    ackWaitMs = ACK_WAIT_MS,
  ): Promise<{ delivery: Delivery; answers: Answers }> => {
    const origin = await bench.stream.messageAt(originSequence);
    const decoded = origin && decodeEvent(origin);
    if (decoded?.kind !== 'event') throw new Error('no origin');
    const { event } = decoded.stored;
    const eventType = event.eventType === 'retried' ? 'retried' : 'created';
    const work: Work = {
      key: `${jobId}:${originSequence}`,
      jobId,
      origin: { sequence: originSequence, event: eventType },
      event,
      workSequence: 1,
    };
    const answers: Answers = { acked: 0, termed: 0, naks: [] };
    const message: Partial<JsMsg> = {
      info: { deliveryCount } as JsMsg['info'],
      ack: () => void answers.acked++,
      term: () => void answers.termed++,
      nak: (ms) => void answers.naks.push(ms),
    };
    return { delivery: new Delivery(work, message as JsMsg, ackWaitMs), answers };
  };
  return { service, jobId, created, say, scope, deliver };
}

it('of fifty workers that get the same work as a first delivery exactly one starts; the others wait for one ack_wait', async () => {
  const { jobId, created, scope, deliver } = await job();
  const deliveries = await Promise.all(Array.from({ length: 50 }, () => deliver(created)));
  const begun = await Promise.all(deliveries.map(({ delivery }) => beginAttempt(scope(), delivery)));
  expect(begun.filter(({ kind }) => kind === 'run')).toMatchObject([{ attempt: 1, payload: { n: 1 } }]);
  expect(await bench.types(jobId)).toEqual(['created', 'started']);
  const others = deliveries.filter((_, index) => begun[index]?.kind !== 'run');
  expect(others.map(({ answers }) => answers)).toEqual(Array(49).fill({ acked: 0, termed: 0, naks: [ACK_WAIT_MS] }));
});

it('of fifty workers that get the same redelivery exactly one takes over from the worker that was lost', async () => {
  const { jobId, created, say, scope, deliver } = await job({ maxTries: 2 });
  await say('started', { tries: 1, instanceId: 'lost' });
  const deliveries = await Promise.all(Array.from({ length: 50 }, () => deliver(created, 2)));
  // Each has looked before any of them starts.
  const looked = gate();
  let looks = 0;
  const stream = await JobStream.open(bench.nc);
  const { lastOfEvents } = stream;
  vi.spyOn(stream, 'lastOfEvents').mockImplementation(async (...args) => {
    const seen = await lastOfEvents.apply(stream, args);
    if (++looks === 50) looked.open();
    await looked.opened;
    return seen;
  });
  const begun = await Promise.all(deliveries.map(({ delivery }) => beginAttempt({ ...scope(), stream }, delivery)));
  expect(begun.filter(({ kind }) => kind === 'run')).toMatchObject([{ attempt: 2 }]);
  expect(await bench.types(jobId)).toEqual(['created', 'started', 'started']);
  const waiting = deliveries.filter((_, index) => begun[index]?.kind !== 'run');
  expect(waiting.map(({ answers }) => answers)).toEqual(Array(49).fill({ acked: 0, termed: 0, naks: [ACK_WAIT_MS] }));
});

describe('a first delivery of work to which something happened meanwhile is looked at', () => {
  it.each<[EventType]>([['completed'], ['failed'], ['cancelled'], ['expired'], ['dead'], ['skipped'], ['stale']])(
    '%s: it is acked unrun, although a log line came later',
    async (ending) => {
      const { jobId, created, say, scope, deliver } = await job();
      await say(ending);
      await say('logged', { logs: [{ timestamp: new Date().toISOString(), level: 'info', message: 'late' }] });
      const { delivery, answers } = await deliver(created);
      const counting = scope();
      expect(await beginAttempt(counting, delivery)).toEqual({ kind: 'settled' });
      expect(answers).toEqual({ acked: 1, termed: 0, naks: [] });
      expect(counting.counts.discarded).toBe(1);
      expect(await bench.types(jobId)).toEqual(['created', ending, 'logged']);
    },
  );

  it('replayed: the old work is superseded, the new one runs with a fresh count', async () => {
    const { jobId, created, say, scope, deliver } = await job();
    await say('started', { tries: 3, instanceId: 'x' });
    await say('dead', { tries: 3 });
    const retried = await say('retried', { payload: { n: 2 }, maxTries: 3 });
    const old = await deliver(created);
    expect(await beginAttempt(scope(), old.delivery)).toEqual({ kind: 'settled' });
    expect(old.answers.acked).toBe(1);
    const fresh = await deliver(retried);
    expect(await beginAttempt(scope(), fresh.delivery)).toMatchObject({ kind: 'run', attempt: 1, payload: { n: 2 } });
    expect((await bench.types(jobId)).at(-1)).toBe('started');
  });

  it("replayed without a payload by another peer: the job's own payload is used", async () => {
    const { say, scope, deliver } = await job();
    await say('failed');
    const retried = await say('retried');
    const { delivery } = await deliver(retried);
    expect(await beginAttempt(scope(), delivery)).toMatchObject({ kind: 'run', payload: { n: 1 } });
  });

  it('created twice by another peer: only the first one runs', async () => {
    const { jobId, created, say, scope, deliver } = await job();
    const second = await say('created', { payload: { n: 2 } });
    const again = await deliver(second, 2);
    expect(await beginAttempt(scope(), again.delivery)).toEqual({ kind: 'settled' });
    expect(again.answers.acked).toBe(1);
    const first = await deliver(created);
    expect(await beginAttempt(scope(), first.delivery)).toMatchObject({ kind: 'run', payload: { n: 1 } });
    expect(await bench.types(jobId)).toEqual(['created', 'created', 'started']);
  });

  it('a cancellation asked for: `cancelled` is published with who asked and why, and nothing runs', async () => {
    const { jobId, created, say, scope, deliver } = await job();
    await say('started', { tries: 1, instanceId: 'x' });
    await say('cancelRequested', { actor: { kind: 'operator', id: 'ann' }, reason: 'wrong order' });
    await say('retry', { tries: 1 });
    const { delivery, answers } = await deliver(created, 2);
    expect(await beginAttempt(scope(), delivery)).toEqual({ kind: 'settled' });
    expect(answers.acked).toBe(1);
    const { event } = await bench.event(jobId, 'cancelled');
    expect(event).toMatchObject({ state: 'cancelled', actor: { kind: 'operator', id: 'ann' }, reason: 'wrong order' });
  });
});

describe('attempts are counted by `started` events', () => {
  it('a worker that was lost in the last attempt leaves a dead job, and its work is terminated', async () => {
    const { jobId, created, say, scope, deliver } = await job({ maxTries: 2 });
    await say('started', { tries: 1, instanceId: 'x' });
    await say('started', { tries: 2, instanceId: 'y' });
    const { delivery, answers } = await deliver(created, 3);
    expect(await beginAttempt(scope(), delivery)).toEqual({ kind: 'settled' });
    expect(answers).toEqual({ acked: 0, termed: 1, naks: [] });
    const { event } = await bench.event(jobId, 'dead');
    expect(event).toMatchObject({ state: 'dead', tries: 2, error: 'worker lost in the last attempt' });
  });

  it('without a dead-letter queue it is failed', async () => {
    const { jobId, created, say, scope, deliver } = await job({ maxTries: 1, dlq: false });
    await say('started', { tries: 1, instanceId: 'x' });
    const { delivery } = await deliver(created, 2);
    await beginAttempt(scope(), delivery);
    expect((await bench.event(jobId, 'failed')).event.error).toBe('worker lost in the last attempt');
  });

  it('any number of deliveries uses none', async () => {
    const { created, scope, deliver } = await job({ maxTries: 2 });
    const { delivery } = await deliver(created, 99);
    expect(await beginAttempt(scope(), delivery)).toMatchObject({ kind: 'run', attempt: 1 });
  });

  it('also those of workers that say `tries: 1` for ever', async () => {
    const { created, say, scope, deliver } = await job({ maxTries: 3 });
    for (const _ of [1, 2]) {
      await say('started', { tries: 1 });
      await say('retry', { tries: 1, timestamp: '2020-01-01T00:00:00.000Z' });
    }
    const { delivery } = await deliver(created, 3);
    expect(await beginAttempt(scope(), delivery)).toMatchObject({ kind: 'run', attempt: 3 });
  });
});

it('the declared wait after an attempt holds although the delayed NAK was lost', async () => {
  const { created, say, scope, deliver } = await job();
  await say('started', { tries: 1, instanceId: 'x' });
  await say('retry', { tries: 1 });
  const { delivery, answers } = await deliver(created, 2);
  expect(await beginAttempt(scope(), delivery)).toEqual({ kind: 'settled' });
  expect(answers.naks).toHaveLength(1);
  expect(answers.naks[0]).toBeGreaterThan(50_000);
  expect(answers.naks[0]).toBeLessThanOrEqual(60_000);
});

it('a malformed event in the stream neither ends a job nor hides its end', async () => {
  const open = await job();
  await bench.nc.flush();
  await bench.stream.js.publish(`trellis.jobs.${open.service}.t.${open.jobId}.completed`, 'no json');
  const one = await open.deliver(open.created);
  expect(await beginAttempt(open.scope(), one.delivery)).toMatchObject({ kind: 'run', attempt: 1 });

  const ended = await job();
  await ended.say('completed');
  await bench.stream.js.publish(`trellis.jobs.${ended.service}.t.${ended.jobId}.completed`, 'no json');
  const two = await ended.deliver(ended.created);
  expect(await beginAttempt(ended.scope(), two.delivery)).toEqual({ kind: 'settled' });
  expect(two.answers.acked).toBe(1);
});

it('an event of a kind that this version does not know neither stops nor confuses it', async () => {
  const { service, jobId, created, scope, deliver } = await job();
  await bench.stream.js.publish(`trellis.jobs.${service}.t.${jobId}.pondered`, '{}');
  const { delivery } = await deliver(created);
  expect(await beginAttempt(scope(), delivery)).toMatchObject({ kind: 'run', attempt: 1 });
});

it('a replica that has not seen the cancellation yet cannot make a cancelled job run', async () => {
  const lagging = await JobStream.open(bench.nc);
  const { created, say, scope, deliver } = await job({ stream: lagging });
  const stale = await bench.stream.lastOfEvents(scope().service, 't', (await deliver(created)).delivery.work.jobId, [
    'created',
  ]);
  vi.spyOn(lagging, 'lastOfEvents').mockResolvedValue(stale);
  await say('cancelled');
  await say('logged');
  const { delivery, answers } = await deliver(created, 2);
  expect(await beginAttempt(scope(), delivery)).toEqual({ kind: 'settled' });
  expect(answers.acked).toBe(1);
});

it('a start that became known only after ack_wait does not run when somebody else has started meanwhile', async () => {
  const slow = await JobStream.open(bench.nc);
  const { jobId, created, say, scope, deliver } = await job({ stream: slow });
  const { publish } = slow;
  vi.spyOn(slow, 'publish').mockImplementation(async (...args) => {
    const outcome = await publish.apply(slow, args);
    await say('started', { tries: 2, instanceId: 'the-other' });
    return outcome;
  });
  const { delivery, answers } = await deliver(created, 1, 0);
  const counting = scope();
  expect(await beginAttempt(counting, delivery)).toEqual({ kind: 'settled' });
  expect(answers).toEqual({ acked: 0, termed: 0, naks: [] });
  expect(counting.counts).toMatchObject({ overtaken: 1, started: 0 });
  expect(await bench.types(jobId)).toEqual(['created', 'started', 'started']);
});

it('on a server without conditions over a filter one of two workers starts as well', async () => {
  const old = await JobStream.open(bench.nc);
  Object.assign(old.features, { conditionalFilter: false, multiGet: false });
  const { jobId, created, scope, deliver } = await job({ stream: old });
  const deliveries = await Promise.all([deliver(created), deliver(created)]);
  await beginAttempt(scope('a'), deliveries[0].delivery);
  await beginAttempt(scope('b'), deliveries[1].delivery);
  expect(await bench.types(jobId)).toEqual(['created', 'started']);
  expect(deliveries[1].answers.naks).toEqual([ACK_WAIT_MS]);
});
