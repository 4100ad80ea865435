// The JSON text of a key record. Most of a record is its queue, and most of the queue is unchanged since the last write: that
// text is reused, and only new entries are encoded.
import type { KeyRecord, QueuedJob } from '@trellis/contracts';

/** A queue and its entries' JSON, separated by commas. */
export interface QueueText {
  readonly queued: readonly QueuedJob[];
  readonly text: string;
}

/** @param before of an earlier state of the same queue */
export function queueText(queued: readonly QueuedJob[], before?: QueueText): QueueText {
  if (before?.queued === queued) return before;
  return { queued, text: (before && textFrom(before, queued)) ?? queued.map(textOfEntry).join(',') };
}

/** The JSON text of a record whose queue is already encoded. */
export const textOf = (record: KeyRecord, { text }: QueueText): string =>
  `${JSON.stringify({ ...record, queued: undefined }).slice(0, -1)},"queued":[${text}]}`;

/** Undefined unless the queue changed only by removals at its head and additions at its end. */
function textFrom(before: QueueText, queued: readonly QueuedJob[]): string | undefined {
  const [head] = queued;
  const left = head === undefined ? -1 : before.queued.indexOf(head);
  const stayed = before.queued.length - left;
  if (left < 0 || stayed > queued.length) return undefined;
  for (let index = 0; index < stayed; index++) {
    if (before.queued[left + index] !== queued[index]) return undefined;
  }
  let from = 0;
  for (let index = 0; index < left; index++) from += textOfEntry(before.queued[index] as QueuedJob).length + 1;
  let text = before.text.slice(from);
  for (let index = stayed; index < queued.length; index++) text += `,${textOfEntry(queued[index] as QueuedJob)}`;
  return text;
}

const textOfEntry = (job: QueuedJob): string => JSON.stringify(job);
