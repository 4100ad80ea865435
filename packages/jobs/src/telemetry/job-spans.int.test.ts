import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Attributes, context as otelContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { ATTR, eventSubject, LINK } from '@trellis/contracts';
import { traceparentOf } from '@trellis/instrumentation';
import { type RecordedTelemetry, recordTelemetry, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { NonRetryableError, queue } from '../index.ts';
import { type Bench, CONTEXT, newName, startBench } from '../testing/jobs-bench.fixture.ts';

let nats: TestNats;
let bench: Bench;
let recorded: RecordedTelemetry;
const children: ChildProcess[] = [];
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());
beforeEach(() => {
  recorded = recordTelemetry();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await recorded[Symbol.asyncDispose]();
});

const payload = z.object({ n: z.number() });
/** Of a span's start or end, since the epoch. */
const millis = ([seconds, nanos] = [0, 0] as [number, number]): number => seconds * 1_000 + nanos / 1e6;
/** The ended spans of a job by their order of start; of all jobs without an id. */
const allSpans = (jobId?: string) =>
  recorded
    .spans()
    .filter(({ attributes }) => jobId === undefined || attributes[ATTR.jobId] === jobId)
    .toSorted((a, b) => millis(a.startTime) - millis(b.startTime));
const traceparent = (span: ReadableSpan | undefined) => span && traceparentOf(span.spanContext());
const parentId = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const spanId = (span: ReadableSpan | undefined) => span?.spanContext().spanId;
const traceId = (span: ReadableSpan | undefined) => span?.spanContext().traceId;
const linksOf = (span: ReadableSpan | undefined) =>
  Object.fromEntries(span?.links.map((link) => [link.attributes?.[ATTR.linkKind], link.context.spanId]) ?? []);
const started = async (jobId: string) =>
  (await bench.events(jobId)).flatMap(({ event }) => (event.eventType === 'started' ? [event] : []));

/** The spans of a job once its attempts have ended. */
async function spansOf(jobId: string, attempts: number) {
  await expect.poll(() => allSpans(jobId).filter(({ kind }) => kind === SpanKind.CONSUMER).length).toBe(attempts);
  const spans = allSpans(jobId);
  const named = (operation: string) => spans.filter(({ name }) => name.startsWith(`${operation} `));
  return { create: named('create'), waits: named('wait'), attempts: named('process'), all: spans };
}

it('a job with three attempts is a creation, three waits and three attempts, linked to the creation and to each other', async () => {
  const service = await bench.service(
    { add: queue({ payload, maxDeliver: 3, backoffMs: [40] }) },
    { version: '2.1.0' },
  );
  await service.jobs.add.handle((job) => {
    if (job.attempt < 3) throw new TypeError(`attempt ${job.attempt}`);
    return job.attempt;
  });
  const ref = await service.jobs.add.create({ n: 1 });
  expect((await ref.wait()).state).toBe('completed');
  const { create, waits, attempts, all } = await spansOf(ref.id, 3);
  expect([create.length, waits.length, attempts.length, all.length]).toEqual([1, 3, 3, 7]);
  const [creation] = create;
  const destination = `trellis.work.${service.name}.add`;
  expect(new Set(all.map(({ name }) => name))).toEqual(
    new Set(['create', 'wait', 'process'].map((operation) => `${operation} ${destination}`)),
  );
  expect(creation?.kind).toBe(SpanKind.PRODUCER);
  expect(creation?.parentSpanContext).toBeUndefined();
  for (const span of [...waits, ...attempts]) {
    expect(traceId(span)).toBe(traceId(creation));
    expect(parentId(span)).toBe(spanId(creation));
  }
  expect(attempts.map(linksOf)).toEqual([
    { [LINK.creation]: spanId(creation) },
    { [LINK.creation]: spanId(creation), [LINK.previousAttempt]: spanId(attempts[0]) },
    { [LINK.creation]: spanId(creation), [LINK.previousAttempt]: spanId(attempts[1]) },
  ]);
  const events = await bench.events(ref.id);
  for (const { event } of events) expect(event.context.traceparent).toBe(traceparent(creation));
  const requestId = events[0]?.event.context.requestId;
  expect((await started(ref.id)).map((event) => [event.attemptTraceparent, event.workerVersion])).toEqual(
    attempts.map((span) => [traceparent(span), '2.1.0']),
  );
  for (const [index, span] of attempts.entries()) {
    expect(span.kind).toBe(SpanKind.CONSUMER);
    expect(span.attributes).toMatchObject({
      [ATTR.jobId]: ref.id,
      [ATTR.jobService]: service.name,
      [ATTR.jobType]: 'add',
      [ATTR.jobAttempt]: index + 1,
      [ATTR.jobMaxTries]: 3,
      [ATTR.jobState]: index < 2 ? 'retry' : 'completed',
      [ATTR.requestId]: requestId,
      [ATTR.instanceId]: service.instanceId,
      [ATTR.messagingSystem]: 'nats',
      [ATTR.messagingOperationName]: 'process',
      [ATTR.messagingOperationType]: 'process',
      [ATTR.messagingDestination]: destination,
      [ATTR.messagingConsumerGroup]: `${service.name}-add`,
    });
    expect(span.attributes[ATTR.errorType]).toBe(index < 2 ? 'TypeError' : undefined);
    expect(span.status.code).toBe(index < 2 ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
    expect(span.attributes).not.toHaveProperty(ATTR.jobPreviousAttemptLost);
  }
  // A wait begins where the work became due and ends where the attempt begins; the retry delay is in it, not in the attempt.
  const times = events.map(({ event }) => Date.parse(event.timestamp));
  for (const [index, wait] of waits.entries()) {
    expect(millis(wait.startTime)).toBe(times[2 * index]);
    expect(millis(wait.endTime)).toBe(millis(attempts[index]?.startTime));
  }
});

it('an attempt that begins too long after the creation is the root of a trace of its own, its wait within, and linked', async () => {
  const queues = { add: queue({ payload, maxDeliver: 2, backoffMs: [60] }) };
  const service = await bench.service(queues, { joinTraceMs: 40 });
  await service.jobs.add.handle((job) => (job.attempt === 1 ? job.fail('not yet') : undefined));
  const ref = await service.jobs.add.create({ n: 1 });
  await ref.wait();
  const { create, waits, attempts } = await spansOf(ref.id, 2);
  const [creation] = create;
  const late = attempts[1];
  expect(late?.parentSpanContext).toBeUndefined();
  expect(traceId(late)).not.toBe(traceId(creation));
  expect(linksOf(late)).toEqual({ [LINK.creation]: spanId(creation), [LINK.previousAttempt]: spanId(attempts[0]) });
  expect(parentId(waits[1])).toBe(spanId(late));
  const events = await bench.events(ref.id);
  expect(events.at(-2)?.event).toMatchObject({ eventType: 'started', attemptTraceparent: traceparent(late) });
  // The job's own context is that of its creation forever.
  for (const { event } of events) expect(event.context.traceparent).toBe(traceparent(creation));
});

it('what a handler does and creates belongs to its attempt: child jobs, log lines, NATS calls', async () => {
  const service = await bench.service({
    parent: queue({ payload, logs: false }),
    child: queue({ payload }),
  });
  const seen = Promise.withResolvers<string | undefined>();
  bench.nc.subscribe('stock.taken', { callback: (_, message) => seen.resolve(message.headers?.get('traceparent')) });
  await bench.nc.flush();
  await service.jobs.child.handle(() => undefined);
  await service.jobs.parent.handle(async (job) => {
    job.nats.publish('stock.taken', 'lamp');
    await job.log('warn', 'half way');
    return (await service.jobs.child.create({ n: 2 }, { id: `${job.id}-child` })).id;
  });
  const ref = await service.jobs.parent.create({ n: 1 });
  await ref.wait();
  const childId = `${ref.id}-child`;
  const {
    create: [creation],
    attempts: [attempt],
  } = await spansOf(ref.id, 1);
  const { create, attempts } = await spansOf(childId, 1);
  expect(parentId(create[0])).toBe(spanId(attempt));
  expect(parentId(attempts[0])).toBe(spanId(create[0]));
  expect(new Set([creation, attempt, create[0], attempts[0]].map(traceId)).size).toBe(1);
  const [parentEvent] = await bench.events(ref.id);
  const [childEvent] = await bench.events(childId);
  expect(childEvent?.event.context).toEqual({
    requestId: parentEvent?.event.context.requestId,
    traceId: traceId(creation),
    traceparent: traceparent(create[0]),
  });
  const [sending] = allSpans().filter(({ name }) => name === 'publish stock.taken');
  expect(parentId(sending)).toBe(spanId(attempt));
  expect(await seen.promise).toBe(traceparent(sending));
  // The queue keeps no log lines with its jobs; the trace has them all the same.
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'completed']);
  const records = recorded.logRecords().filter(({ attributes }) => attributes[ATTR.jobId] === ref.id);
  expect(records).toMatchObject([
    {
      body: 'half way',
      severityText: 'WARN',
      spanContext: { traceId: traceId(attempt), spanId: spanId(attempt) },
      attributes: { [ATTR.jobAttempt]: 1, [ATTR.jobType]: 'parent' },
    },
  ]);
});

it('a creation hangs below the active span, or below the context that is given, which stays the job’s', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  const request = trace.getTracer('test').startSpan('POST /orders');
  const active = trace.setSpan(otelContext.active(), request);
  const ref = await otelContext.with(active, () => service.jobs.add.create({ n: 1 }));
  request.end();
  const [below] = allSpans(ref.id);
  expect(parentId(below)).toBe(request.spanContext().spanId);
  expect((await bench.events(ref.id))[0]?.event.context.traceparent).toBe(traceparent(below));

  const given = await service.jobs.add.create({ n: 1 }, { context: { ...CONTEXT, tracestate: 'vendor=1' } });
  const [explicit] = allSpans(given.id);
  expect([traceId(explicit), parentId(explicit)]).toEqual([CONTEXT.traceId, 'b'.repeat(16)]);
  expect((await bench.events(given.id))[0]?.event.context).toEqual({ ...CONTEXT, tracestate: 'vendor=1' });
});

it('a creation that finds its job there already says so and points at the one that made it', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  const id = newName();
  await service.jobs.add.create({ n: 1 }, { id });
  await service.jobs.add.create({ n: 1 }, { id });
  const [first, second] = allSpans(id);
  expect(first?.attributes).not.toHaveProperty(ATTR.jobCreated);
  expect(second?.attributes[ATTR.jobCreated]).toBe(false);
  expect(linksOf(second)).toEqual({ [LINK.job]: spanId(first) });
  expect((await bench.events(id)).map(({ event }) => event.context.traceparent)).toEqual([traceparent(first)]);
  await expect(service.jobs.add.create({ n: 'x' } as never)).rejects.toThrow('payload.n');
  const failed = allSpans().at(-1);
  expect(failed).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { [ATTR.errorType]: 'ValidationError' },
  });
});

it('a cancellation is an event of the attempt’s span, and no failure', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  await service.jobs.add.handle(
    (job) => new Promise((resolve) => job.signal.addEventListener('abort', () => resolve(undefined))),
  );
  const ref = await service.jobs.add.create({ n: 1 });
  await bench.event(ref.id, 'started');
  const facts = { jobId: ref.id, service: service.name, jobType: 'add' };
  await bench.publish({ ...facts, eventType: 'cancelRequested', state: 'active', tries: 1, reason: 'wrong order' });
  expect((await ref.wait()).state).toBe('cancelled');
  const { attempts } = await spansOf(ref.id, 1);
  expect(attempts[0]).toMatchObject({
    attributes: { [ATTR.jobState]: 'cancelled' },
    status: { code: SpanStatusCode.UNSET },
    events: [{ name: 'cancelRequested', attributes: { reason: 'wrong order' } }],
  });
});

it('work that a stopping host gives back is no failed attempt, and the one that takes it over links to it', async () => {
  const name = newName();
  const queues = { add: queue({ payload }) };
  const leaving = await bench.service(queues, { name });
  await leaving.jobs.add.handle(
    (job) => new Promise((_, reject) => job.shutdown.addEventListener('abort', () => reject(job.shutdown.reason))),
  );
  const ref = await leaving.jobs.add.create({ n: 1 });
  await bench.event(ref.id, 'started');
  await leaving.stop({ graceMs: 0 });
  const staying = await bench.service(queues, { name });
  await staying.jobs.add.handle(() => undefined);
  await ref.wait();
  const { attempts } = await spansOf(ref.id, 2);
  expect(attempts[0]).toMatchObject({
    attributes: { [ATTR.jobState]: 'retry', [ATTR.jobAttempt]: 1, [ATTR.instanceId]: leaving.instanceId },
    status: { code: SpanStatusCode.UNSET },
  });
  expect(attempts[0]?.events.map((event) => event.name)).toContain('shutdown');
  expect(attempts[1]?.attributes).toMatchObject({ [ATTR.jobAttempt]: 1, [ATTR.instanceId]: staying.instanceId });
  expect(attempts[1]?.attributes).not.toHaveProperty(ATTR.jobPreviousAttemptLost);
  expect(linksOf(attempts[1])[LINK.previousAttempt]).toBe(spanId(attempts[0]));
});

it('a job that somebody else ends while its handler runs is shown as what it became', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  await service.jobs.add.handle(
    (job) => new Promise((resolve) => job.signal.addEventListener('abort', () => resolve(undefined))),
  );
  const ref = await service.jobs.add.create({ n: 1 });
  await bench.event(ref.id, 'started');
  const facts = { jobId: ref.id, service: service.name, jobType: 'add', tries: 1 };
  await bench.publish({ ...facts, eventType: 'dead', state: 'dead', error: 'given up' });
  const { attempts } = await spansOf(ref.id, 1);
  expect(attempts[0]).toMatchObject({
    attributes: { [ATTR.jobState]: 'dead', [ATTR.errorType]: 'dead' },
    status: { code: SpanStatusCode.ERROR },
  });
});

it('a NonRetryableError is in the span with what the handler threw', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  await service.jobs.add.handle(() => {
    throw new NonRetryableError('no such order');
  });
  const ref = await service.jobs.add.create({ n: 1 });
  await ref.wait();
  const { attempts } = await spansOf(ref.id, 1);
  expect(attempts[0]).toMatchObject({
    attributes: { [ATTR.jobState]: 'failed', [ATTR.errorType]: 'NonRetryableError' },
    status: { code: SpanStatusCode.ERROR, message: 'no such order' },
    events: [{ name: 'exception' }],
  });
});

it('the attempt after a killed worker links to the one that was lost, and says that it was', async () => {
  const name = newName();
  const workerFile = fileURLToPath(new URL('../testing/killable-worker.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, [workerFile, nats.url, name, 'charge', '3', '500', '--traced'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const service = await bench.service({ charge: queue({ payload: z.unknown(), ackWaitMs: 500 }) }, { name });
  const ref = await service.jobs.charge.create({});
  for await (const line of createInterface({ input: child.stdout })) if (line === ref.id) break;
  child.kill('SIGKILL');
  await once(child, 'exit');
  await service.jobs.charge.handle(() => undefined);
  await ref.wait();
  const { create, waits, attempts } = await spansOf(ref.id, 1);
  const [lost, next] = await started(ref.id);
  expect(lost?.attemptTraceparent).toMatch(new RegExp(`^00-${traceId(create[0])}-[0-9a-f]{16}-01$`));
  expect(attempts[0]?.attributes).toMatchObject({ [ATTR.jobAttempt]: 2, [ATTR.jobPreviousAttemptLost]: true });
  expect(linksOf(attempts[0])).toEqual({
    [LINK.creation]: spanId(create[0]),
    [LINK.previousAttempt]: lost?.attemptTraceparent?.split('-')[2],
  });
  expect(next?.attemptTraceparent).toBe(traceparent(attempts[0]));
  // The last sign of life of the lost attempt.
  expect(millis(waits[0]?.startTime)).toBe(Date.parse(lost?.timestamp ?? ''));
});

it('a job that is run again links to the last attempt of the run before', async () => {
  const service = await bench.service({ add: queue({ payload, maxDeliver: 1, dlq: false }) });
  let fails = true;
  await service.jobs.add.handle((job) => (fails ? job.fail('down') : undefined));
  const ref = await service.jobs.add.create({ n: 1 });
  expect((await ref.wait()).state).toBe('failed');
  fails = false;
  const { event: created } = await bench.event(ref.id, 'created');
  await bench.publish({
    ...created,
    eventType: 'retried',
    previousState: 'failed',
    timestamp: new Date().toISOString(),
  });
  await bench.event(ref.id, 'completed');
  const { create, attempts } = await spansOf(ref.id, 2);
  expect(linksOf(attempts[1])).toEqual({
    [LINK.creation]: spanId(create[0]),
    [LINK.previousAttempt]: spanId(attempts[0]),
  });
  expect(parentId(attempts[1])).toBe(spanId(create[0]));
  expect(attempts[1]?.attributes).not.toHaveProperty(ATTR.jobPreviousAttemptLost);
});

it('for a thousand jobs the event, its headers and the span say the same trace and span', async () => {
  const service = await bench.service({ add: queue({ payload, concurrency: 50 }) });
  await service.jobs.add.handle(() => undefined);
  const refs = await Promise.all(Array.from({ length: 1_000 }, (_, n) => service.jobs.add.create({ n })));
  await expect.poll(() => allSpans().filter(({ kind }) => kind === SpanKind.CONSUMER).length).toBe(1_000);
  const byJob = new Map<unknown, ReadableSpan[]>();
  for (const span of allSpans()) {
    const id = span.attributes[ATTR.jobId];
    byJob.set(id, [...(byJob.get(id) ?? []), span]);
  }
  const said = await Promise.all(
    refs.map(async ({ id }) => {
      const messages = await bench.stream.lastOfEvents(service.name, 'add', id, ['created', 'started', 'completed']);
      const creation = byJob.get(id)?.find(({ kind }) => kind === SpanKind.PRODUCER);
      const attempt = byJob.get(id)?.find(({ kind }) => kind === SpanKind.CONSUMER);
      const contexts = Array.from(messages.values(), ({ data, headers }) => {
        const { context, attemptTraceparent } = JSON.parse(new TextDecoder().decode(data));
        if (attemptTraceparent !== undefined) expect(attemptTraceparent).toBe(traceparent(attempt));
        return [context.traceparent, `00-${context.traceId}`, headers?.get('traceparent')];
      });
      expect(contexts).toHaveLength(3);
      const own = traceparent(creation);
      for (const found of contexts) expect(found).toEqual([own, `00-${traceId(creation)}`, own]);
      return own;
    }),
  );
  expect(new Set(said).size).toBe(1_000);
});

it('the metrics count creations, attempts and handlers by what became of them, and show before anything happens', async () => {
  const service = await bench.service({ add: queue({ payload, maxDeliver: 2, backoffMs: [300] }) });
  /** By outcome, where there are several. */
  const values = async (name: string) => {
    const found = (await recorded.metrics()).find(({ descriptor }) => descriptor.name === name);
    const points: readonly { attributes: Attributes; value: unknown }[] = found?.dataPoints ?? [];
    const own = points.filter(({ attributes }) => attributes.service === service.name);
    return Object.fromEntries(own.map(({ attributes, value }) => [attributes.outcome ?? 'all', value]));
  };
  const inFlight = () => recorded.metric('trellis.job.handlers.in_flight', { service: service.name, type: 'add' });
  const hold = Promise.withResolvers<void>();
  await service.jobs.add.handle(async (job) => {
    if (job.payload.n === 0) await hold.promise;
    return job.payload.n === 2 ? job.fail('no') : undefined;
  });
  expect(await values('trellis.job.attempts')).toEqual({ completed: 0, retry: 0, failed: 0, dead: 0 });
  const delivery = await service.jobs.add.create({ n: 0 });
  await bench.event(delivery.id, 'started');
  expect(await inFlight()).toBe(1);
  hold.resolve();
  for (const n of [1, 2]) await (await service.jobs.add.create({ n }, { id: `${service.name}-${n}` })).wait();
  await service.jobs.add.create({ n: 1 }, { id: `${service.name}-1` });
  await expect(service.jobs.add.create({ n: 'x' } as never)).rejects.toThrow('payload.n');
  await expect.poll(() => values('trellis.job.attempts')).toEqual({ completed: 2, retry: 1, failed: 0, dead: 1 });
  expect(await values('trellis.job.creates')).toEqual({ accepted: 3, duplicate: 1, failed: 1 });
  expect(await inFlight()).toBe(0);
  const durations = await values('messaging.process.duration');
  expect(durations).toMatchObject({ completed: { count: 2 }, retry: { count: 1 }, dead: { count: 1 } });
  expect(await values('trellis.job.wait.duration')).toMatchObject({ all: { count: 4 } });
});

it('without an SDK no event says anything of spans, and a job’s NATS calls carry the job’s own trace', async () => {
  await recorded[Symbol.asyncDispose]();
  const service = await bench.service({ add: queue({ payload }) });
  const seen = Promise.withResolvers<string | undefined>();
  bench.nc.subscribe('stock.counted', { callback: (_, message) => seen.resolve(message.headers?.get('traceparent')) });
  await bench.nc.flush();
  await service.jobs.add.handle(async (job) => {
    job.nats.publish('stock.counted');
    await job.log('info', 'counted');
  });
  const ref = await service.jobs.add.create({ n: 1 });
  await ref.wait();
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => event.eventType)).toEqual(['created', 'started', 'logged', 'completed']);
  for (const { event } of events) expect(event).not.toHaveProperty('attemptTraceparent');
  expect(await seen.promise).toBe(events[0]?.event.context.traceparent);
  const [message] = (await bench.stream.lastOfEvents(service.name, 'add', ref.id, ['created'])).values();
  expect(message?.subject).toBe(eventSubject(service.name, 'add', ref.id, 'created'));
  expect(message?.headers?.get('traceparent')).toBe(events[0]?.event.context.traceparent);
});
