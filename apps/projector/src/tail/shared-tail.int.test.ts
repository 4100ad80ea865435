import { silentLogger } from '@trellis/async';
import { JobStream, provision } from '@trellis/nats';
import { startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { event, subjectOf } from '../testing/sample-event.ts';
import { type ReadBatch, SharedTail, type SharedTailOptions } from './shared-tail.ts';
import { StreamRecreated } from './tail-stream.ts';

let nats: TestNats;
let stream: JobStream;
let created: string;
beforeAll(async () => {
  nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  stream = await JobStream.open(nc);
});
afterAll(() => nats.stop());
beforeEach(async () => {
  await stream.jsm.streams.delete('JOBS');
  await provision(stream.nc);
  ({ created } = await stream.info());
});

let jobs = 0;
async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const created = event(`J${++jobs}`, 'created');
    await stream.js.publish(subjectOf(created), JSON.stringify(created));
  }
}

const share = (changed: Partial<SharedTailOptions> = {}) =>
  new SharedTail({ stream, log: silentLogger(), maxMessages: 10, lingerMs: 1, idleCheckMs: 50, ...changed });

interface Follower {
  readonly batches: ReadBatch[];
  readonly sequences: number[];
  /** While false it takes no batch. */
  moves: boolean;
  stop(): Promise<void>;
  readonly done: Promise<void>;
}

/** Reads for as long as it moves and is not stopped; has its place before anything can be published after the call. */
function follow(tail: SharedTail, consumer: string, from = 1, moves = true): Follower {
  const stopped = new AbortController();
  const batches: ReadBatch[] = [];
  const run = async () => {
    for await (const batch of tail.follow({ consumer, from, created, signal: stopped.signal })) {
      batches.push(batch);
      await expect.poll(() => follower.moves || stopped.signal.aborted, { timeout: 20_000, interval: 5 }).toBe(true);
    }
  };
  const done = run();
  done.catch(() => undefined);
  const follower: Follower = {
    batches,
    get sequences() {
      return batches.flatMap(({ messages }) => messages.map(({ sequence }) => sequence));
    },
    moves,
    done,
    async stop() {
      stopped.abort();
      await done;
    },
  };
  return follower;
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const hasRead = (follower: Follower, last: number) =>
  expect.poll(() => follower.sequences.at(-1), { timeout: 10_000 }).toBe(last);
const consumers = async () => {
  const names: string[] = [];
  for await (const { name } of stream.jsm.consumers.list('JOBS')) names.push(name);
  return names.sort();
};

describe('readers of one process', () => {
  it('at the same place share one consumer and what was read of its messages', async () => {
    const tail = share();
    const a = follow(tail, 'a');
    await expect.poll(consumers).toEqual(['a']);
    const b = follow(tail, 'b');
    await publish(35);
    await hasRead(a, 35);
    await hasRead(b, 35);
    expect([a.sequences, b.sequences]).toEqual([upTo(35), upTo(35)]);
    expect(await consumers()).toEqual(['a']);
    expect(b.batches[0]?.decoded[0]).toBe(a.batches[0]?.decoded[0]);
    expect(a.batches[0]?.decoded[0]).toMatchObject({ kind: 'event', stored: { sequence: 1 } });
    await Promise.all([a.stop(), b.stop()]);
  });

  it('are never further apart than the window', async () => {
    await publish(100);
    const tail = share({ window: { messages: 20, bytes: 1_000_000 }, patienceMs: 3_600_000 });
    const slow = follow(tail, 'slow', 1, false);
    await expect.poll(() => slow.sequences.length).toBe(10);
    const quick = follow(tail, 'quick', 11);
    await expect.poll(() => quick.sequences.at(-1)).toBeGreaterThanOrEqual(30);
    // One batch is in the hands of the slow one, and one may have come on top of a window that was nearly full.
    const apart = () => (quick.sequences.at(-1) ?? 0) - (slow.sequences.at(-1) ?? 0);
    expect(apart()).toBeLessThanOrEqual(20 + 10);
    slow.moves = true;
    for (let read = 10; read < 100; read = quick.sequences.at(-1) ?? 0) {
      expect(apart()).toBeLessThanOrEqual(20 + 10);
      await expect.poll(() => quick.sequences.at(-1)).toBeGreaterThan(read);
    }
    await hasRead(slow, 100);
    expect([quick.sequences, slow.sequences]).toEqual([upTo(100).slice(10), upTo(100)]);
    expect(await consumers()).toEqual(['slow']);
    await Promise.all([slow.stop(), quick.stop()]);
  });

  it('that fall behind by many small batches are given them as few large ones, and told how much more waits', async () => {
    const tail = share();
    const slow = follow(tail, 'slow', 1, false);
    await expect.poll(consumers).toEqual(['slow']);
    const quick = follow(tail, 'quick');
    for (let last = 1; last <= 16; last++) {
      await publish(1);
      await hasRead(quick, last);
    }
    slow.moves = true;
    await hasRead(slow, 16);
    expect(slow.batches.map(({ messages, pending }) => [messages.length, pending])).toEqual([
      [1, 0],
      [10, 5],
      [5, 0],
    ]);
    await Promise.all([slow.stop(), quick.stop()]);
  });

  it('that begin one after the other come together where there is much to read', async () => {
    await publish(300);
    const tail = share({ patienceMs: 3_600_000 });
    const behind = follow(tail, 'behind', 1, false);
    await expect.poll(() => behind.sequences.length).toBe(10);
    const ahead = follow(tail, 'ahead', 101);
    await expect.poll(() => ahead.sequences.length).toBeGreaterThanOrEqual(10);
    behind.moves = true;
    await hasRead(behind, 300);
    await hasRead(ahead, 300);
    expect([behind.sequences, ahead.sequences]).toEqual([upTo(300), upTo(300).slice(100)]);
    expect(ahead.batches.at(-1)?.decoded.at(-1)).toBe(behind.batches.at(-1)?.decoded.at(-1));
    await Promise.all([behind.stop(), ahead.stop()]);
  });

  it.each([
    { who: 'the owner of the tail', first: 'slow', second: 'quick' },
    { who: 'the other', first: 'quick', second: 'slow' },
  ])('go on without one that stands still ($who), and come together again later', async ({ first, second }) => {
    const tail = share({ window: { messages: 20, bytes: 1_000_000 }, patienceMs: 20 });
    const one = follow(tail, first, 1, first === 'quick');
    await expect.poll(consumers).toEqual([first]);
    const two = follow(tail, second, 1, second === 'quick');
    const [slow, quick] = first === 'slow' ? [one, two] : [two, one];
    await publish(100);
    await hasRead(quick, 100);
    expect(slow.sequences.length).toBeLessThanOrEqual(20);
    slow.moves = true;
    await hasRead(slow, 100);
    await expect
      .poll(
        async () => {
          await publish(1);
          const { lastSequence } = await stream.info();
          await Promise.all([hasRead(quick, lastSequence), hasRead(slow, lastSequence)]);
          return quick.batches.at(-1)?.decoded[0] === slow.batches.at(-1)?.decoded[0];
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    const { lastSequence } = await stream.info();
    expect([quick.sequences, slow.sequences]).toEqual([upTo(lastSequence), upTo(lastSequence)]);
    await Promise.all([slow.stop(), quick.stop()]);
  });

  it('far from each other have tails of their own, each from its place', async () => {
    await publish(200);
    const tail = share();
    const late = follow(tail, 'late', 190);
    await hasRead(late, 200);
    const early = follow(tail, 'early');
    await hasRead(early, 200);
    expect(early.sequences).toEqual(upTo(200));
    expect(late.sequences).toEqual(upTo(200).slice(189));
    expect(await consumers()).toEqual(['early', 'late']);
    await Promise.all([late.stop(), early.stop()]);
  });

  it('lose nothing when the owner of their tail stops', async () => {
    const tail = share();
    const owner = follow(tail, 'owner');
    await expect.poll(consumers).toEqual(['owner']);
    const other = follow(tail, 'other');
    await publish(30);
    await owner.stop();
    await publish(30);
    await hasRead(other, 60);
    expect(other.sequences).toEqual(upTo(60));
    await other.stop();
  });

  it('are each told when the stream was made anew', async () => {
    const tail = share();
    const both = ['a', 'b'].map((name) => follow(tail, name));
    await publish(5);
    await Promise.all(both.map((follower) => hasRead(follower, 5)));
    await stream.jsm.streams.delete('JOBS');
    await provision(stream.nc);
    for (const { done } of both) await expect(done).rejects.toBeInstanceOf(StreamRecreated);
  });
});
