// Jobs.DismissDLQ: a dead job is closed for good (docs/lifecycle.md).
import { type FoldedJob, statesAccepting } from '@trellis/lifecycle';
import { type Decision, runCommand, stateConflict } from '../commands/job-command.ts';
import { fitJobReply } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

const ACCEPTED = statesAccepting('dismissed');

export const dismissDlq = defineMethod({
  name: 'Jobs.DismissDLQ',
  answer: ({ id, reason }, call, ports) => runCommand({ id, reason, decide }, call, ports),
  fit: fitJobReply,
});

function decide(job: FoldedJob): Decision {
  if (!ACCEPTED.includes(job.state)) {
    return { kind: 'refuse', fault: stateConflict('Jobs.DismissDLQ', job, ACCEPTED) };
  }
  return { kind: 'publish', event: { eventType: 'dismissed', state: 'dismissed' }, when: 'unchanged' };
}
