// What telemetry is told when an attempt has ended: its span, and the counts and times by outcome. What is published about the
// end is finish-attempt.ts.
import { MESSAGING_SYSTEM } from '@trellis/contracts';
import { countMetric, moveMetric, recordMetric } from '@trellis/instrumentation';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import type { AttemptEnd } from './attempt-span.ts';

/** To be called once for an attempt, as soon as its outcome is stored or known to be another one's. */
export function attemptEnded(
  { service, jobType: type }: WorkerScope,
  attempt: RunningAttempt,
  end: AttemptEnd & { handedBack?: boolean | undefined },
): void {
  attempt.span?.end(end);
  // A retry that costs no attempt is counted apart.
  const outcome = end.handedBack ? 'handedBack' : end.event;
  countMetric('trellis.job.attempts', { service, type, outcome });
  if (attempt.ranMs === undefined) return;
  const messaging = { 'messaging.system': MESSAGING_SYSTEM, 'messaging.operation.name': 'process' };
  recordMetric('messaging.process.duration', { service, type, outcome, ...messaging }, attempt.ranMs / 1_000);
}

/** Lets the metrics of a queue show from the start. */
export function initMetrics({ service, jobType: type }: WorkerScope): void {
  for (const outcome of ['completed', 'retry', 'failed', 'dead']) {
    countMetric('trellis.job.attempts', { service, type, outcome }, 0);
  }
  moveMetric('trellis.job.handlers.in_flight', { service, type }, 0);
}
