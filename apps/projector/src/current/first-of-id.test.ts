import type { LifecycleEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { event, subjectOf } from '../testing/sample-event.ts';
import type { DecodedEvent } from './decode-batch.ts';
import { findFirstOfId } from './first-of-id.ts';
import { foldBatch } from './fold-batch.ts';

const decoded = (sequence: number, body: LifecycleEvent): DecodedEvent => ({
  stored: { sequence, storedAt: body.timestamp, event: body },
  message: { subject: subjectOf(body), sequence, storedAt: body.timestamp, data: new Uint8Array() },
});

/** A stream in which each id's earliest message has the given sequence. */
function streamWith(earliest: Record<string, number>) {
  const asked: string[] = [];
  return {
    asked,
    nextOf: async (filter: string) => {
      const id = filter.split('.')[4] ?? '';
      asked.push(id);
      const sequence = earliest[id];
      return sequence === undefined
        ? undefined
        : { subject: '', sequence, storedAt: '', data: new Uint8Array(), headers: undefined };
    },
  };
}

const jobs = (...events: DecodedEvent[]) =>
  foldBatch({ events, known: new Map(), firstOfId: new Set(), refused: new Map() }).jobs;

it('a created is the first of its id when nothing earlier is left, be it that it is gone itself', async () => {
  const known = jobs(...['A', 'B', 'C'].map((id, index) => decoded(index + 1, event(id, 'created'))));
  const again = ['A', 'B', 'C'].map((id, index) => decoded(10 + index, event(id, 'created')));
  const stream = streamWith({ A: 10, B: 2 });
  expect(await findFirstOfId(stream, again, known)).toEqual(new Set([10, 12]));
});

it('within a batch a second created asks too', async () => {
  const stream = streamWith({ A: 3 });
  const events = [decoded(1, event('A', 'created')), decoded(3, event('A', 'created'))];
  expect(await findFirstOfId(stream, events, new Map())).toEqual(new Set([3]));
});

it('for ids that are free, and for other events, the stream is not asked', async () => {
  const known = jobs(decoded(1, event('A', 'created')));
  const stream = streamWith({});
  await findFirstOfId(stream, [decoded(2, event('A', 'started')), decoded(3, event('B', 'created'))], known);
  expect(stream.asked).toEqual([]);
});
