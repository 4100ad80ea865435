// Every message that matches a filter, in stream order, as the leader has them. Read one after the other, the server would walk
// through all that lies between two of them; so it is asked first how many there are of each subject, and most subjects have one.
import type { StreamMessage } from './stream-message.ts';

export interface MessageCounts {
  /** Of each subject that matches. */
  counts: ReadonlyMap<string, number>;
  /** Sequence of the stream's last message when they were counted. */
  lastSequence: number;
}

export interface MessageSource {
  /** From the leader. */
  countMessages(filter: string): Promise<MessageCounts>;
  /** The last message of each of the subjects that has one; a replica may answer, which knows less than the leader. */
  lastOfEach(subjects: string[]): Promise<StreamMessage[]>;
  /** The first message of a subject from `sequence` on, from the leader. */
  nextOf(subject: string, sequence: number): Promise<StreamMessage | undefined>;
}

/** Of one request. */
const MAX_SUBJECTS = 1_000;

/** What was there when the leader counted; neither what came after, nor what was removed meanwhile. */
export async function messagesOf(source: MessageSource, filter: string): Promise<StreamMessage[]> {
  const { counts, lastSequence } = await source.countMessages(filter);
  const single: string[] = [];
  const several: [subject: string, count: number][] = [];
  for (const [subject, count] of counts) count === 1 ? single.push(subject) : several.push([subject, count]);
  const found = await Promise.all([
    readSingle(source, single, lastSequence),
    ...several.map(([subject, count]) => readSeveral(source, subject, count)),
  ]);
  return found
    .flat()
    .filter(({ sequence }) => sequence <= lastSequence)
    .sort((one, other) => one.sequence - other.sequence);
}

async function readSingle(source: MessageSource, subjects: string[], lastSequence: number): Promise<StreamMessage[]> {
  // One alone is quicker read by itself.
  const together = subjects.length > 1 ? await source.lastOfEach(subjects.slice(0, MAX_SUBJECTS)) : [];
  const last = new Map(together.map((message) => [message.subject, message]));
  const messages = await Promise.all(
    subjects.map((subject) => {
      const message = last.get(subject);
      // Not there yet where a replica answered, or behind one that came after the count.
      return message && message.sequence <= lastSequence ? message : source.nextOf(subject, 1);
    }),
  );
  return messages.filter((message) => message !== undefined);
}

async function readSeveral(source: MessageSource, subject: string, count: number): Promise<StreamMessage[]> {
  const messages: StreamMessage[] = [];
  for (let from = 1; messages.length < count; ) {
    const message = await source.nextOf(subject, from);
    if (message === undefined) break;
    messages.push(message);
    from = message.sequence + 1;
  }
  return messages;
}
