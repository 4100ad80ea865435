import type { JsMsg } from '@nats-io/jetstream';
import { silentLogger } from '@trellis/async';
import type { LifecycleEvent } from '@trellis/contracts';
import { type JobStream, PublishError, type RequestPipe } from '@trellis/nats';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { AckBatcher } from '../delivery/ack-batcher.ts';
import { Delivery } from '../delivery/delivery.ts';
import { NonRetryableError } from '../errors.ts';
import { queue } from '../queue.ts';
import { workEvent } from '../testing/work-event.fixture.ts';
import { newCounts } from '../worker/worker-scope.ts';
import { jobInHand } from './active-job.ts';
import { RunningAttempt } from './running-attempt.ts';

const origin = { ...workEvent, eventType: 'created', state: 'pending' } satisfies LifecycleEvent;

function inHand() {
  const stored = Promise.withResolvers<{ kind: 'stored'; sequence: number }>();
  const stream: Pick<JobStream, 'publish'> & { nc: object } = { publish: () => stored.promise, nc: {} };
  const scope = {
    service: 's',
    jobType: 't',
    instanceId: 'i',
    version: undefined,
    joinTraceMs: 0,
    queue: queue({ payload: z.unknown() }),
    stream: stream as unknown as JobStream,
    log: silentLogger(),
    counts: newCounts(),
    acks: new AckBatcher({} as RequestPipe),
    halt: new AbortController().signal,
  };
  const work = {
    key: 'j1:1',
    jobId: 'j1',
    origin: { sequence: 1, event: 'created' as const },
    event: origin,
    workSequence: 1,
  };
  const delivery = new Delivery(work, { info: { deliveryCount: 3 } } as JsMsg, 1_000);
  const begun = { attempt: 2, maxTries: 5, afterSequence: 7, startedSequence: 8, span: undefined };
  const attempt = new RunningAttempt('j1', begun);
  return { stored, attempt, ...jobInHand(scope, delivery, attempt, {}) };
}

it('the end of an attempt waits until what its handler said is stored', async () => {
  const { job, close, stored } = inHand();
  const said = job.log('info', 'not awaited by the handler');
  let closed = false;
  const closing = close()?.then(() => {
    closed = true;
  });
  await new Promise(setImmediate);
  expect(closed).toBe(false);
  stored.resolve({ kind: 'stored', sequence: 8 });
  await Promise.all([said, closing]);
});

it('what could not be stored is told to a handler that asks, and does not keep the attempt from ending', async () => {
  const { job, close, stored } = inHand();
  const said = job.heartbeat();
  stored.reject(new PublishError('not known to be stored'));
  await expect(said).rejects.toBeInstanceOf(PublishError);
  await close();
});

it('deliveries are told apart from attempts', () => {
  const { job } = inHand();
  expect(job).toMatchObject({ attempt: 2, maxTries: 5, redeliveryCount: 2 });
});

it('job.fail makes an error to return, which says whether another attempt helps', () => {
  const { job } = inHand();
  const cause = new Error('no stock');
  expect(job.fail(cause)).toBe(cause);
  expect(job.fail('no stock')).not.toBeInstanceOf(NonRetryableError);
  expect(job.fail(cause, { retry: false })).toMatchObject({ name: 'NonRetryableError', message: 'no stock', cause });
});

it('looking at what tells it to stop is noticed, and nothing else is', () => {
  const { job, attempt } = inHand();
  attempt.stop('shutdown');
  expect(attempt.noticed).toBe(false);
  expect(job.cancelled).toBe(false);
  expect(attempt.noticed).toBe(false);
  expect(job.shutdown.aborted).toBe(true);
  expect(attempt.noticed).toBe(true);
  attempt.stop('cancelRequested');
  expect(attempt).toMatchObject({ stopped: 'cancelRequested', noticed: true });
});

it('the end of the job outdoes a request to cancel it, and that the shutdown; never the other way round', () => {
  const { attempt, job } = inHand();
  attempt.stop('shutdown');
  attempt.stop('cancelRequested', 'wrong order');
  attempt.stop('shutdown');
  expect(attempt.stopped).toBe('cancelRequested');
  attempt.stop('expired');
  attempt.stop('cancelRequested');
  expect(attempt.stopped).toBe('expired');
  expect(job.signal.reason).toMatchObject({
    because: 'cancelRequested',
    message: expect.stringContaining('wrong order'),
  });
});
