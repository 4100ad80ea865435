// Jobs.Cancel: cancels a waiting job, requests the cancellation of a running one (docs/protocol.md#rpcs).
import type { CancelRequest, LifecycleEvent } from '@trellis/contracts';
import { type FoldedJob, isEnded, statesAccepting } from '@trellis/lifecycle';
import { type Decision, runCommand, stateConflict } from '../commands/job-command.ts';
import { fitJobReply } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

export const cancelJob = defineMethod({
  name: 'Jobs.Cancel',
  answer: (request: CancelRequest, call, ports) => {
    const force = request.force ?? ports.settings.cancelActiveByForce;
    return runCommand(
      { id: request.id, reason: request.reason, decide: (job) => decideCancel(job, force) },
      call,
      ports,
    );
  },
  fit: fitJobReply,
});

const CANCELLED = { eventType: 'cancelled', state: 'cancelled' } as const satisfies Partial<LifecycleEvent>;

/** @param force an active job is ended at once instead of being asked to end */
export function decideCancel(job: FoldedJob, force: boolean): Decision {
  if (isEnded(job.state))
    return { kind: 'refuse', fault: stateConflict('Jobs.Cancel', job, statesAccepting('cancelled')) };
  if (job.state !== 'active') return { kind: 'publish', event: CANCELLED, when: 'unchanged' };
  // One message id for the whole run: the stream stores the request once for any number of callers.
  const messageId = (event: string) => `${job.id}:${event}:${job.originSequence}`;
  if (force) return { kind: 'publish', event: CANCELLED, when: 'always', messageId: messageId('cancelled') };
  if (job.cancelRequestedAt !== undefined) return { kind: 'answer' };
  return {
    kind: 'publish',
    event: { eventType: 'cancelRequested', state: job.state },
    when: 'always',
    messageId: messageId('cancelRequested'),
  };
}
