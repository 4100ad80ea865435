// Runs a handler and says how it ended. What follows from that is decide-outcome.ts.
import { errorTypeOf, moveMetric } from '@trellis/runtime';
import { z } from 'zod';
import { type ActiveJob, jobInHand } from './active-job.ts';
import type { Ending } from './decide-outcome.ts';
import { NonRetryableError } from './errors.ts';
import type { HeldWork, RunningAttempt } from './held-work.ts';
import { withJobContext } from './job-context.ts';
import { errorText, toWire } from './wire-value.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

export type Handler<Payload, Result> = (job: ActiveJob<Payload>) => Promise<Result | Error> | Result | Error;

/** Runs `handler` to its end, or until the host waits no longer for it. Never rejects. */
export async function runHandler(
  scope: WorkerScope,
  held: HeldWork,
  attempt: RunningAttempt,
  payload: unknown,
  handler: Handler<unknown, unknown>,
): Promise<Ending> {
  const { job, close } = jobInHand(scope, held, attempt, payload);
  const failed = (error: unknown): Ending => {
    jobLog(scope, held.work.event).debug({ error, attempt: attempt.number }, 'the handler failed');
    attempt.span?.exception(error);
    const retry = !(error instanceof NonRetryableError);
    return { kind: 'failed', error: errorText(error), retry, errorType: errorTypeOf(error) };
  };
  const run = async (): Promise<Ending> => {
    try {
      const value = await withJobContext(job.context, () => handler(job));
      if (value instanceof Error) return failed(value);
      if (value === undefined && attempt.stopped !== undefined && attempt.noticed) return { kind: 'stopped' };
      return await checkResult(scope, value);
    } catch (error) {
      return failed(error);
    }
  };
  const { service, jobType: type } = scope;
  const began = performance.now();
  moveMetric('trellis.job.handlers.in_flight', { service, type }, 1);
  const ending = await Promise.race([run(), attempt.abandoned.then((): Ending => ({ kind: 'abandoned' }))]);
  moveMetric('trellis.job.handlers.in_flight', { service, type }, -1);
  attempt.ranMs = performance.now() - began;
  await close();
  return ending;
}

const ANYTHING = z.unknown();

async function checkResult({ queue }: WorkerScope, value: unknown): Promise<Ending> {
  const result = await toWire(queue.result ?? ANYTHING, 'result', value);
  if (result.kind === 'ok') return { kind: 'returned', result: result.wire };
  return { kind: 'failed', error: `${result.field}: ${result.problem}`, retry: true, errorType: 'ValidationError' };
}
