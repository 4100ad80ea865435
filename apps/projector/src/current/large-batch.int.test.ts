// Batches that are folded from several batches of the tail.

import { silentLogger } from '@trellis/async';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedTail } from '../tail/shared-tail.ts';
import { startTestProjection, type TestProjection } from '../testing/projection-fixture.ts';
import { event, subjectOf } from '../testing/sample-event.ts';

const tailOf = ({ stream }: TestProjection, maxMessages: number) =>
  new SharedTail({ stream, log: silentLogger(), maxMessages, lingerMs: 1, idleCheckMs: 50 });

/** Text that no compression makes short enough for an index. */
const randomText = (length: number) =>
  Array.from({ length }, () => Math.floor(Math.random() * 36).toString(36)).join('');

describe('a batch of several batches of the tail', () => {
  it('writes a job once, however many of them its events are in', async () => {
    await using projection = await startTestProjection();
    const ids = Array.from({ length: 10 }, (_, index) => `J${index}`);
    for (const type of ['created', 'started', 'completed'] as const) {
      await projection.publishEvents(...ids.map((id) => event(id, type)));
    }
    const pipeline = projection.start({ tail: tailOf(projection, 4), maxMessages: 100 });
    await projection.caughtUp();
    await expect.poll(() => pipeline.counters.events).toBe(30);
    expect(pipeline.counters).toMatchObject({ batches: 1, changes: 10 });
    expect(await projection.rows('select state, count(*) from jobs group by 1')).toEqual([
      { state: 'completed', count: 10 },
    ]);
  });

  it('holds no more events than it is allowed to', async () => {
    await using projection = await startTestProjection();
    await projection.publishEvents(...Array.from({ length: 30 }, (_, index) => event(`J${index}`, 'created')));
    const pipeline = projection.start({ tail: tailOf(projection, 4), maxMessages: 8 });
    await projection.caughtUp();
    await expect.poll(() => pipeline.counters.events).toBe(30);
    expect(pipeline.counters.batches).toBe(4);
  });

  it('of which the store refuses an event is read again, and only that event goes to quarantine', async () => {
    await using projection = await startTestProjection();
    const good = Array.from({ length: 40 }, (_, index) => event(`G${index}`, 'created'));
    const poison = event('P1', 'created', { concurrency: { key: randomText(20_000), keyHash: 'a' } });
    const sequences = await projection.publishEvents(...good.slice(0, 20), poison, ...good.slice(20));
    const pipeline = projection.start({ tail: tailOf(projection, 4), maxMessages: 100 });
    await projection.caughtUp();
    expect(await projection.rows('select sequence, code from quarantine')).toEqual([
      { sequence: sequences[20], code: 'store-refused' },
    ]);
    expect(await projection.rows('select count(*) from jobs')).toEqual([{ count: 40 }]);
    expect(pipeline.counters).toMatchObject({ starts: 1, events: 41, quarantined: { 'store-refused': 1 } });
  });

  it('that was folded onto what the former one could not write is folded again', async () => {
    await using projection = await startTestProjection();
    const poison = event('P1', 'heartbeat', { concurrency: { key: randomText(20_000), keyHash: 'a' } });
    await projection.publishEvents(event('P1', 'created'));
    await projection.publish(subjectOf(poison), poison);
    await projection.publishEvents(
      event('P1', 'started', { tries: 1 }),
      event('P2', 'created'),
      event('P3', 'created'),
      event('P1', 'completed', { result: 1 }),
      event('P4', 'created'),
      event('P5', 'created'),
    );
    // The first batch ends after the poison; the next one, of two of the tail, is folded while that is found.
    projection.start({ tail: tailOf(projection, 2), maxMessages: 4 });
    await projection.caughtUp();
    expect(await projection.job('P1')).toMatchObject({ state: 'completed', result: 1, concurrency: undefined });
    expect(await projection.rows('select count(*) from jobs')).toEqual([{ count: 5 }]);
  });

  it('gives what the fold of the stream gives, whatever the sizes', async () => {
    await using projection = await startTestProjection();
    const types = ['created', 'started', 'retry', 'progress', 'completed', 'failed', 'dead', 'retried'] as const;
    const anyEvent = fc.record({ id: fc.constantFrom('A', 'B', 'C', 'D'), type: fc.constantFrom(...types) });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 6, max: 30 }),
        async (events, ofTail, maxMessages) => {
          const run = `R${++runs}-`;
          await projection.publishEvents(...events.map(({ id, type }) => event(`${run}${id}`, type)));
          const pipeline = projection.start({ tail: tailOf(projection, ofTail), maxMessages });
          await projection.caughtUp();
          await pipeline.stop();
          for (const id of ['A', 'B', 'C', 'D']) {
            const { job } = await projection.stream.readJob(`${run}${id}`);
            expect(await projection.job(`${run}${id}`)).toEqual(job);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});
