import type { StoredEvent } from '@trellis/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FoldedJob, fold, reduce } from './reduce.ts';
import { anyStream } from './testing/sample-events.ts';
import { isEnded } from './transitions.ts';
import { toWireJob } from './wire-job.ts';

/** Every step of a fold: the job before, the event, the job after. */
function steps(
  events: readonly StoredEvent[],
): { before: FoldedJob | undefined; stored: StoredEvent; after: FoldedJob | undefined }[] {
  let job: FoldedJob | undefined;
  return events.map((stored) => {
    const before = job;
    const outcome = reduce(before, stored);
    if (outcome.kind === 'applied') job = outcome.job;
    return { before, stored, after: job };
  });
}

/** The same events in another order, some of them more than once, some left out. */
const disturbed: fc.Arbitrary<StoredEvent[]> = anyStream()
  .filter((events) => events.length > 0)
  .chain((events) => fc.array(fc.constantFrom(...events), { maxLength: 60 }));

describe('reduce, over any stream', () => {
  it('never throws, whatever comes in whatever order and however often', () => {
    fc.assert(
      fc.property(disturbed, (events) => {
        const job = fold(events);
        if (job) toWireJob(job);
      }),
    );
  });

  it('leaves a state that ends execution only by retried or dismissed', () => {
    fc.assert(
      fc.property(disturbed, (events) => {
        for (const { before, stored, after } of steps(events)) {
          if (!before || !isEnded(before.state) || before === after) continue;
          expect(['retried', 'dismissed']).toContain(stored.event.eventType);
          expect(['failed', 'dead']).toContain(before.state);
        }
      }),
    );
  });

  it('changes nothing when events are projected again', () => {
    fc.assert(
      fc.property(anyStream(), fc.nat(), (events, at) => {
        const seen = events.slice(0, at % (events.length + 1));
        const job = fold(seen);
        for (const stored of seen) if (job) expect(reduce(job, stored).kind).toBe('ignored');
        expect(fold([...seen, ...seen, ...events.slice(seen.length)])).toEqual(fold(events));
      }),
    );
  });

  it('comes to the same from any point on, going on from what was folded', () => {
    fc.assert(
      fc.property(anyStream(), fc.nat(), (events, at) => {
        const cut = at % (events.length + 1);
        let job = fold(events.slice(0, cut));
        for (const stored of events.slice(cut)) {
          const outcome = reduce(job, stored);
          if (outcome.kind === 'applied') job = outcome.job;
        }
        expect(job).toEqual(fold(events));
      }),
    );
  });

  it('lets sequence, attempts within a run and updatedAt only grow', () => {
    fc.assert(
      fc.property(anyStream(), (events) => {
        for (const { before, stored, after } of steps(events)) {
          if (!before || !after || before === after) continue;
          expect(after.lastSequence).toBeGreaterThan(before.lastSequence);
          expect(after.updatedAt >= before.updatedAt).toBe(true);
          if (stored.event.eventType !== 'retried') expect(after.tries).toBeGreaterThanOrEqual(before.tries);
        }
      }),
    );
  });

  it('never changes who the job is', () => {
    fc.assert(
      fc.property(anyStream(['J1'], ['orders-service.charge', 'billing.charge', 'orders-service.refund']), (events) => {
        for (const { before, after } of steps(events)) {
          if (!before || !after) continue;
          const { id, service, type, context, createdAt, firstSequence } = before;
          expect(after).toMatchObject({ id, service, type, context, createdAt, firstSequence });
        }
      }),
    );
  });

  it('never shows a slot token', () => {
    fc.assert(
      fc.property(anyStream(), (events) => {
        const job = fold(events);
        if (job) expect(toWireJob(job).concurrency ?? {}).not.toHaveProperty('slotToken');
      }),
    );
  });

  it('never changes what it is given', () => {
    fc.assert(
      fc.property(anyStream(), (events) => {
        let job: FoldedJob | undefined;
        for (const stored of events) {
          const outcome = reduce(deepFreeze(job), deepFreeze(stored));
          if (outcome.kind === 'applied') job = outcome.job;
        }
      }),
    );
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}
