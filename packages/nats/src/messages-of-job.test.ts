import { expect, it } from 'vitest';
import { type MessageSource, messagesOf } from './messages-of-job.ts';
import type { StreamMessage } from './stream-message.ts';

const message = (subject: string, sequence: number): StreamMessage => ({
  subject,
  sequence,
  storedAt: '2026-01-31T09:30:00.000Z',
  data: new Uint8Array(),
  headers: undefined,
});

/** A leader with these messages, and a replica that has them up to a sequence. */
function sourceOf(stored: [subject: string, sequence: number][], { upTo = Infinity, countedAt = 1_000 } = {}) {
  const requests: string[] = [];
  const messages = stored.map(([subject, sequence]) => message(subject, sequence));
  const source: MessageSource = {
    async countMessages() {
      requests.push('count');
      const counts = new Map<string, number>();
      for (const { subject, sequence } of messages) {
        if (sequence <= countedAt) counts.set(subject, (counts.get(subject) ?? 0) + 1);
      }
      return { counts, lastSequence: countedAt };
    },
    async lastOfEach(subjects) {
      requests.push('last');
      const known = messages.filter(({ sequence }) => sequence <= upTo);
      return subjects.flatMap((subject) => known.findLast((one) => one.subject === subject) ?? []);
    },
    async nextOf(subject, from) {
      requests.push('next');
      return messages.find((one) => one.subject === subject && one.sequence >= from);
    },
  };
  const read = async () => (await messagesOf(source, 'j.*')).map(({ subject, sequence }) => [subject, sequence]);
  return { read, requests };
}

it('subjects with one message each take two requests however many they are, and nothing takes one', async () => {
  const { read, requests } = sourceOf([
    ['j.created', 3],
    ['j.started', 70],
    ['j.completed', 900],
  ]);
  expect(await read()).toEqual([
    ['j.created', 3],
    ['j.started', 70],
    ['j.completed', 900],
  ]);
  expect(requests).toEqual(['count', 'last']);
  const created = sourceOf([['j.created', 3]]);
  expect(await created.read()).toEqual([['j.created', 3]]);
  expect(created.requests).toEqual(['count', 'next']);
  const empty = sourceOf([]);
  expect(await empty.read()).toEqual([]);
  expect(empty.requests).toEqual(['count']);
});

it('every message of a subject that has several is read, and all are in stream order', async () => {
  const stored: [string, number][] = [
    ['j.created', 1],
    ['j.started', 2],
    ['j.retry', 3],
    ['j.started', 4],
    ['j.retry', 5],
    ['j.started', 6],
  ];
  expect(await sourceOf(stored).read()).toEqual(stored);
});

it('what a replica does not have yet is read from the leader', async () => {
  const stored: [string, number][] = [
    ['j.created', 1],
    ['j.started', 2],
    ['j.started', 8],
    ['j.completed', 9],
  ];
  expect(await sourceOf(stored, { upTo: 1 }).read()).toEqual(stored);
});

it('what comes after the count is not shown, and hides nothing that was there before', async () => {
  const stored: [string, number][] = [
    ['j.created', 1],
    ['j.started', 2],
    ['j.started', 8],
    ['j.completed', 9],
  ];
  expect(await sourceOf(stored, { countedAt: 5 }).read()).toEqual(stored.slice(0, 2));
});
