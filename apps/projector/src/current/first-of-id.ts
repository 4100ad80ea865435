// Checks in the stream whether a `created` for a known id is the first message of that id: then the earlier job was purged,
// and its id is free again (docs/protocol.md#headers-and-conditions).
import { jobIdFilter } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import type { DecodedEvent } from './decode-batch.ts';

const AT_ONCE = 32;

/**
 * Sequences of the `created` events for known ids before which the stream holds nothing of their id.
 * @param known the ids that have a job
 */
export async function findFirstOfId(
  stream: Pick<JobStream, 'nextOf'>,
  events: readonly DecodedEvent[],
  known: Pick<ReadonlySet<string>, 'has'>,
): Promise<Set<number>> {
  const questions = takenIds(events, known);
  const first = new Set<number>();
  const ids = [...questions.keys()];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    await Promise.all(
      ids.slice(at, at + AT_ONCE).map(async (id) => {
        const earliest = await stream.nextOf(jobIdFilter(id), 1);
        // Equal, or purged itself in the meantime.
        for (const sequence of questions.get(id) ?? []) {
          if (earliest === undefined || earliest.sequence >= sequence) first.add(sequence);
        }
      }),
    );
  }
  return first;
}

/** `created` events whose id has a row, or an earlier event in the batch: their sequences by id. */
function takenIds(events: readonly DecodedEvent[], known: Pick<ReadonlySet<string>, 'has'>): Map<string, number[]> {
  const seen = new Set<string>();
  const taken = new Map<string, number[]>();
  for (const { stored } of events) {
    const { jobId, eventType } = stored.event;
    if (eventType === 'created' && (seen.has(jobId) || known.has(jobId))) {
      taken.set(jobId, [...(taken.get(jobId) ?? []), stored.sequence]);
    }
    seen.add(jobId);
  }
  return taken;
}
