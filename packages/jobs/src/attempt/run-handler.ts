// Runs a handler and says how it ended. What follows from that is decide-outcome.ts.
import { errorTypeOf, moveMetric } from '@trellis/instrumentation';
import { z } from 'zod';
import { withJobContext } from '../create/job-context.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { NonRetryableError } from '../errors.ts';
import { errorText, toWire, type WireValue } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { type ActiveJob, jobInHand } from './active-job.ts';
import type { Ending } from './decide-outcome.ts';
import type { RunningAttempt } from './running-attempt.ts';

export type Handler<Payload, Result> = (job: ActiveJob<Payload>) => Promise<Result | Error> | Result | Error;

/** Runs `handler` to its end, or until the host no longer waits for it. Never rejects. */
export async function runHandler(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  payload: unknown,
  handler: Handler<unknown, unknown>,
): Promise<Ending> {
  const { job, close } = jobInHand(scope, delivery, attempt, payload);
  const began = performance.now();
  moved(scope, 1);
  const ending = await untilEnded(attempt, run(scope, delivery, attempt, job, handler));
  moved(scope, -1);
  attempt.ranMs = performance.now() - began;
  const closing = close();
  if (closing) await closing;
  return ending;
}

// Without Promise.race, which makes several promises.
const untilEnded = (attempt: RunningAttempt, ended: Promise<Ending>): Promise<Ending> =>
  new Promise((resolve) => {
    attempt.whenAbandoned(() => resolve({ kind: 'abandoned' }));
    void ended.then(resolve);
  });

const moved = ({ service, jobType: type }: WorkerScope, by: 1 | -1): void =>
  moveMetric('trellis.job.handlers.in_flight', { service, type }, by);

async function run(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  job: ActiveJob<unknown>,
  handler: Handler<unknown, unknown>,
): Promise<Ending> {
  try {
    const value = await withJobContext(job.context, () => handler(job));
    if (value instanceof Error) return failed(scope, delivery, attempt, value);
    if (value === undefined && attempt.stopped !== undefined && attempt.noticed) return { kind: 'stopped' };
    const result = toWire(scope.queue.result ?? ANYTHING, 'result', value);
    return endingOf(result instanceof Promise ? await result : result);
  } catch (error) {
    return failed(scope, delivery, attempt, error);
  }
}

const ANYTHING = z.unknown();

function failed(scope: WorkerScope, delivery: Delivery, attempt: RunningAttempt, error: unknown): Ending {
  jobLog(scope, delivery.work.event).debug({ error, attempt: attempt.number }, 'the handler failed');
  attempt.span?.exception(error);
  const retry = !(error instanceof NonRetryableError);
  return { kind: 'failed', error: errorText(error), retry, errorType: errorTypeOf(error) };
}

function endingOf(result: WireValue<unknown>): Ending {
  if (result.kind === 'ok') return { kind: 'returned', result: result.wire };
  return { kind: 'failed', error: `${result.field}: ${result.problem}`, retry: true, errorType: 'ValidationError' };
}
