// Compares the fold in ClickHouse with the fold of @trellis/lifecycle.
import { decodeEvent, type StoredEvent } from '@trellis/contracts';
import { readEventVectors, vectorBody } from '@trellis/lifecycle/event-vectors';
import { anyStream } from '@trellis/lifecycle/sample-events';
import { freshClickHouse } from '@trellis/test-support';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectedViews, firstDifferences, HistoryBench } from './testing/history-bench.ts';

const resources = new AsyncDisposableStack();
let bench: HistoryBench;
beforeAll(async () => {
  const { url } = resources.use(await freshClickHouse());
  bench = resources.use(await HistoryBench.open(url));
});
afterAll(() => resources.disposeAsync());

/** Appends the events in blocks that end at `cuts`, each block twice, and compares the views with the other fold. */
async function expectSame(events: readonly StoredEvent[], cuts: readonly number[] = []): Promise<void> {
  await bench.beginHistory();
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (events.length || 1)), events.length])].sort(
    (a, b) => a - b,
  );
  for (const [index, edge] of edges.entries()) {
    const block = events.slice(edge, edges[index + 1] ?? edge);
    if (block.length === 0) continue;
    await bench.append(block);
    await bench.append(block);
  }
  const { found, expected } = firstDifferences(await bench.views(), expectedViews(events));
  expect(found).toEqual(expected);
}

test('the event vectors give the same runs and minutes as the fold of the lifecycle', async () => {
  const events = readEventVectors().flatMap((vector) =>
    vector.events.flatMap((message) => {
      if ('purge' in message || message.subject.split('.').length !== 6) return [];
      const decoded = decodeEvent({ subject: message.subject, sequence: 1, storedAt: '', data: vectorBody(message) });
      if (decoded.kind !== 'event') return [];
      // Every vector has a job J1.
      const { event } = decoded.stored;
      return [{ ...event, jobId: `${event.jobId}-${vector.file}` }];
    }),
  );
  const storedAt = (index: number) => new Date(Date.UTC(2026, 0, 1) + index).toISOString();
  await expectSame(events.map((event, index) => ({ sequence: index + 1, storedAt: storedAt(index), event })));
});

test('any history gives the same runs and minutes, wherever blocks end, also when each is sent twice', async () => {
  const owners = ['orders-service.charge', 'orders-service.ship'];
  const streams = fc.array(anyStream(['J'], owners), { minLength: 1, maxLength: 120, size: 'max' });
  await fc.assert(
    fc.asyncProperty(streams, fc.array(fc.nat(), { maxLength: 3 }), async (histories, cuts) => {
      await expectSame(interleave(histories), cuts);
    }),
    // No automatic shrinking: each try takes several inserts.
    { numRuns: 4, endOnFailure: true },
  );
});

/** Interleaves the events of several jobs: the first events of all, then the second ones, … */
function interleave(streams: readonly (readonly StoredEvent[])[]): StoredEvent[] {
  const longest = Math.max(...streams.map(({ length }) => length));
  const rounds = Array.from({ length: longest }, (_, round) =>
    streams.flatMap((events, index) => {
      const stored = events[round];
      return stored ? [{ ...stored, event: { ...stored.event, jobId: `J${index}` } }] : [];
    }),
  );
  return rounds.flat().map((stored, index) => ({ ...stored, sequence: index + 1 }));
}
