// Reads a delivered message as work of this queue. A message that is no work of this queue is terminated and reported.
import type { JsMsg } from '@nats-io/jetstream';
import { readWorkMessage, type Work } from '../delivery/work-message.ts';
import type { WorkerScope } from './worker-scope.ts';

/** The work in `message`; undefined when the message was terminated. */
export function readWorkOrTerminate(
  { service, jobType, stream, counts, log }: Omit<WorkerScope, 'acks' | 'halt'>,
  message: JsMsg,
): Work | undefined {
  const read = readWorkMessage(message, { service, jobType, jobsStream: stream.names.jobs });
  if (read.kind === 'work') return read.work;
  const facts = { workSequence: message.seq, subject: message.subject, reason: read.reason };
  counts.quarantined++;
  log.error(facts, 'a work message is quarantined');
  message.term(read.reason.slice(0, 200));
  return undefined;
}
