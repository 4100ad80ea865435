import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@trellis/async';
import { JobStream, provision } from '@trellis/nats';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StreamRecreated, type TailBatch, type TailOptions, tailStream } from './tail-stream.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

let streams = 0;

/** A JOBS stream of its own on the shared server. */
async function newStream(server = nats, options: { subjects?: string[] } = {}) {
  const nc = await server.connect();
  const prefix = `T${++streams}`;
  const names = {
    jobs: `${prefix}_JOBS`,
    work: `${prefix}_WORK`,
    advisories: `${prefix}_ADV`,
    presence: `${prefix}_PRE`,
  };
  const stream = await JobStream.open(nc, { names });
  // Only one stream may have these subjects: the former test's goes.
  for await (const name of stream.jsm.streams.names()) await stream.jsm.streams.delete(name);
  const create = () =>
    options.subjects
      ? stream.jsm.streams.add({ name: names.jobs, subjects: options.subjects }).then(() => undefined)
      : provision(nc, { names }).then(() => undefined);
  await create();
  const publish = async (count: number, body = 'x', subject = 'trellis.jobs.s.t.J.started') => {
    for (let i = 0; i < count; i++) await stream.js.publish(subject, body);
  };
  return { stream, create, publish, jobs: names.jobs };
}

function follow(stream: JobStream, changed: Partial<TailOptions> = {}) {
  const controller = new AbortController();
  const batches = tailStream({
    stream,
    consumer: 'tail',
    from: 1,
    maxMessages: 100,
    lingerMs: 1,
    idleCheckMs: 50,
    signal: controller.signal,
    log: silentLogger(),
    ...changed,
  });
  return { batches, stop: () => controller.abort() };
}

/** Reads until the sequence is passed, then ends the tail. */
async function readTo(sequence: number, tail: ReturnType<typeof follow>, each?: (batch: TailBatch) => unknown) {
  const read: TailBatch[] = [];
  for await (const batch of tail.batches) {
    read.push(batch);
    await each?.(batch);
    if (batch.last >= sequence) tail.stop();
  }
  return read;
}

const sequencesOf = (batches: TailBatch[]) =>
  batches.flatMap(({ messages }) => messages.map(({ sequence }) => sequence));
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('the tail of the stream', () => {
  it('yields every message once, in order, in batches that join without holes', async () => {
    const { stream, publish } = await newStream();
    await publish(250, 'body');
    const batches = await readTo(250, follow(stream));
    expect(sequencesOf(batches)).toEqual(range(1, 250));
    let next = 1;
    for (const { first, last, messages } of batches) {
      expect(first).toBe(next);
      expect(messages.length).toBeLessThanOrEqual(100);
      next = last + 1;
    }
    const [message] = batches[0]?.messages ?? [];
    expect(message).toMatchObject({ subject: 'trellis.jobs.s.t.J.started', sequence: 1 });
    expect(new TextDecoder().decode(message?.data)).toBe('body');
    expect(message?.storedAt).toBe(new Date((await stream.messageAt(1))?.storedAt ?? '').toISOString());
    expect(batches.at(-1)).toMatchObject({ pending: 0, lastStoredAt: batches.at(-1)?.messages.at(-1)?.storedAt });
  });

  it('begins at the wanted sequence, also when that is the next one to come', async () => {
    const { stream, publish } = await newStream();
    await publish(5);
    expect(sequencesOf(await readTo(5, follow(stream, { from: 4 })))).toEqual([4, 5]);
    const tail = follow(stream, { from: 6 });
    const reading = readTo(6, tail);
    await publish(1);
    expect(sequencesOf(await reading)).toEqual([6]);
  });

  it('shows its progress in the durable consumer when batches are acknowledged', async () => {
    const { stream, publish, jobs } = await newStream();
    await publish(10);
    await readTo(10, follow(stream), (batch) => batch.ack());
    // The server takes acknowledgements in after it has answered a flush.
    const acknowledged = async () => (await stream.jsm.consumers.info(jobs, 'tail')).ack_floor.stream_seq;
    await waitFor(async () => (await acknowledged()) === 10, { what: 'the last message to be acknowledged' });
  });

  it('passes heartbeats of a stream that stores them, and deleted messages, without yielding them', async () => {
    const { stream, publish, jobs } = await newStream(nats, { subjects: ['trellis.jobs.>'] });
    const heartbeat = 'trellis.jobs.workers.s.t.i1.heartbeat';
    await publish(1, 'x', heartbeat);
    await publish(2);
    await publish(1, 'x', heartbeat);
    await publish(2);
    await publish(3, 'x', heartbeat);
    await stream.jsm.streams.deleteMessage(jobs, 6);
    const batches = await readTo(9, follow(stream));
    expect(sequencesOf(batches)).toEqual([2, 3, 5]);
    expect(batches.at(-1)).toMatchObject({ messages: [], last: 9 });
    expect(batches[0]?.first).toBe(1);
  });

  it('keeps batches within their bytes', async () => {
    const { stream, publish } = await newStream();
    await publish(30, 'x'.repeat(10_000));
    const batches = await readTo(30, follow(stream, { maxBytes: 45_000 }));
    expect(sequencesOf(batches)).toEqual(range(1, 30));
    expect(Math.max(...batches.map(({ messages }) => messages.length))).toBe(4);
  });

  it('takes no more than the bounds of two batches before it is asked for the next', async () => {
    const { stream, publish, jobs } = await newStream();
    await publish(500);
    const tail = follow(stream, { maxMessages: 20 });
    await tail.batches.next();
    await stream.nc.flush();
    const { delivered } = await stream.jsm.consumers.info(jobs, 'tail');
    expect(delivered.consumer_seq).toBeLessThanOrEqual(60);
    expect(sequencesOf(await readTo(500, tail)).at(-1)).toBe(500);
  });

  it('goes on when its consumer is deleted', async () => {
    const { stream, publish, jobs } = await newStream();
    await publish(10);
    const tail = follow(stream);
    const read = await readTo(20, tail, async ({ last }) => {
      if (last !== 10) return;
      await stream.jsm.consumers.delete(jobs, 'tail');
      await publish(10);
    });
    expect(sequencesOf(read)).toEqual(range(1, 20));
  });

  it('finds by itself a message that its consumer does not deliver', async () => {
    const { stream, publish, jobs } = await newStream();
    await publish(1);
    const read = await readTo(2, follow(stream), async ({ last }) => {
      if (last !== 1) return;
      await stream.jsm.consumers.pause(jobs, 'tail', new Date(Date.now() + 3_600_000));
      await publish(1);
    });
    expect(sequencesOf(read)).toEqual([1, 2]);
  });

  it('ends when it is told to, also in the middle of waiting', async () => {
    const { stream } = await newStream();
    const tail = follow(stream, { idleCheckMs: 60_000 });
    const next = tail.batches.next();
    await stream.nc.flush();
    tail.stop();
    expect(await next).toMatchObject({ done: true });
  });

  it('goes on when the server was killed', async () => {
    await using own = await startTestNats();
    const { stream, publish } = await newStream(own);
    await publish(10);
    const read = await readTo(20, follow(stream), async ({ last }) => {
      if (last !== 10) return;
      await own.kill();
      await own.restart();
      await publish(10);
    });
    expect(sequencesOf(read)).toEqual(range(1, 20));
  });

  it('delivers a message that is larger than the server would take today', async () => {
    await using own = await startTestNats({ extraConfig: 'max_payload: 6MB' });
    const { stream, publish } = await newStream(own);
    await publish(2);
    await publish(1, 'x'.repeat(5_000_000));
    await publish(2);
    const config = join(own.server.storeDir, 'nats-server.conf');
    writeFileSync(config, readFileSync(config, 'utf8').replace('max_payload: 6MB', 'max_payload: 1MB'));
    await own.server.restart();
    const later = await JobStream.open(await own.connect(), { names: stream.names });
    expect(sequencesOf(await readTo(5, follow(later, { maxBytes: 100_000 })))).toEqual(range(1, 5));
  });
});

describe('a stream that is another one', () => {
  it('is refused when it ends before the position', async () => {
    const { stream, publish } = await newStream();
    await publish(3);
    await expect(follow(stream, { from: 5 }).batches.next()).rejects.toThrow(StreamRecreated);
  });

  it('is refused when it was created at another time than the position says', async () => {
    const { stream, publish } = await newStream();
    await publish(3);
    await expect(follow(stream, { from: 2, created: '2026-01-01T00:00:00.000Z' }).batches.next()).rejects.toThrow(
      'was created at',
    );
  });

  it('is noticed when it is made anew under a running tail', async () => {
    const { stream, create, publish, jobs } = await newStream();
    await publish(3);
    const reading = readTo(1_000, follow(stream), async ({ last }) => {
      if (last !== 3) return;
      await stream.jsm.streams.delete(jobs);
      await create();
      await publish(5);
    });
    await expect(reading).rejects.toThrow(StreamRecreated);
  });

  it('is noticed when an older copy was restored under a running tail, also when it has grown since', async () => {
    await using own = await startTestNats();
    const { stream, publish } = await newStream(own);
    const store = join(own.server.storeDir, 'jetstream');
    await using copy = await mkdtempDisposable(join(tmpdir(), 'restored-'));
    await publish(2);
    await own.kill();
    cpSync(store, copy.path, { recursive: true });
    await own.restart();
    await publish(2);
    const reading = readTo(1_000, follow(stream), async ({ last }) => {
      if (last !== 4) return;
      await own.kill();
      rmSync(store, { recursive: true });
      cpSync(copy.path, store, { recursive: true });
      await own.restart();
      await publish(9);
    });
    await expect(reading).rejects.toThrow('message 4 was stored at');
  });

  it('is noticed when it is deleted', async () => {
    const { stream, publish, jobs } = await newStream();
    await publish(3);
    const reading = readTo(1_000, follow(stream), () => stream.jsm.streams.delete(jobs));
    await expect(reading).rejects.toThrow('does not exist');
  });
});
