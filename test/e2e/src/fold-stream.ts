// The expected state: reads every message of the JOBS stream and folds it, independent of the projector.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { decodeEvent } from '@trellis/contracts';
import { type FoldedJob, reduce } from '@trellis/lifecycle';

export interface FoldedStream {
  jobs: Map<string, FoldedJob>;
  /** Every stored sequence, ascending. */
  sequences: number[];
  /** Sequences of messages that are not valid events. */
  malformed: number[];
}

export async function foldStream(nc: NatsConnection, stream = 'JOBS'): Promise<FoldedStream> {
  const consumer = await jetstream(nc).consumers.get(stream);
  const folded: FoldedStream = { jobs: new Map(), sequences: [], malformed: [] };
  if ((await consumer.info(true)).num_pending === 0) return folded;
  for await (const message of await consumer.consume({ max_messages: 5_000 })) {
    const decoded = decodeEvent({
      subject: message.subject,
      sequence: message.seq,
      storedAt: new Date(message.timestamp).toISOString(),
      data: message.data,
    });
    folded.sequences.push(message.seq);
    if (decoded.kind === 'quarantined') folded.malformed.push(message.seq);
    else {
      const outcome = reduce(folded.jobs.get(decoded.stored.event.jobId), decoded.stored);
      if (outcome.kind === 'applied') folded.jobs.set(outcome.job.id, outcome.job);
    }
    if (message.info.pending === 0) break;
  }
  return folded;
}
