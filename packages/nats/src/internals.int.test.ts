import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers, type Msg } from '@nats-io/transport-node';
import { startTestNats } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ackSubjectOf, decodeHeaders, fetchEach, headersFromLines, inboxPrefixOf, rawWriterOf } from './internals.ts';
import { MessageFrames } from './message-frames.ts';

let nats: Awaited<ReturnType<typeof startTestNats>>;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

async function consumerOf(messages: number) {
  const nc = await nats.connect();
  const jsm = await jetstreamManager(nc);
  const name = `INTERNALS_${Math.random().toString(36).slice(2)}`;
  await jsm.streams.add({ name, subjects: [`${name}.>`] });
  await jsm.consumers.add(name, { durable_name: 'c', ack_policy: 'explicit' });
  for (let i = 0; i < messages; i++) await jetstream(nc).publish(`${name}.${i}`, String(i));
  return { nc, consumer: await jetstream(nc).consumers.get(name, 'c') };
}

describe('the library has the parts that are relied on', () => {
  it('a connection shows its protocol handler, and its inbox prefix', async () => {
    const nc = await nats.connect({ inboxPrefix: '_INBOX_own' });
    const writer = rawWriterOf(nc);
    expect(writer).toBeDefined();
    expect(writer?.isDraining).toBe(false);
    expect(inboxPrefixOf(nc)).toBe('_INBOX_own');
    const before = nc.stats();
    writer?.write(Buffer.from('PUB internals 2\r\nhi\r\n'), 1);
    expect(nc.stats().outMsgs).toBe(before.outMsgs + 1);
    expect(nc.stats().outBytes).toBe(before.outBytes + 21);
  });

  it('a JetStream message shows its ack subject, and a fetch takes a callback', async () => {
    const { consumer } = await consumerOf(2);
    const seen: string[] = [];
    const messages = await fetchEach(consumer, { max_messages: 2, expires: 1_000 }, (message) => {
      expect(ackSubjectOf(message)).toMatch(/^\$JS\.ACK\./);
      seen.push(message.string());
    });
    expect((messages as { callback?: unknown }).callback).toBeTypeOf('function');
    await messages.closed();
    expect(seen).toEqual(['0', '1']);
  });

  it('stored headers are decoded', () => {
    expect(decodeHeaders(Buffer.from('NATS/1.0\r\nA: 1\r\n\r\n')).get('A')).toBe('1');
  });
});

describe('without these parts everything works by the public API', () => {
  it('a connection without a protocol handler has no raw writer', () => {
    expect(rawWriterOf({} as never)).toBeUndefined();
    expect(rawWriterOf({ protocol: { sendCommand: () => undefined } } as never)).toBeUndefined();
    expect(inboxPrefixOf({} as never)).toBeUndefined();
    expect(ackSubjectOf({} as never)).toBeUndefined();
  });

  it('messages are published with the library, headers and reply included', async () => {
    const nc = await nats.connect();
    const arrived: Msg[] = [];
    nc.subscribe('plain', { callback: (_, message) => void arrived.push(message) });
    const publishOnly = new Proxy(nc, {
      get: (target, property) => {
        if (property === 'protocol') return undefined;
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const frames = new MessageFrames(publishOnly);
    frames.add({ subject: 'plain', body: 'one', headers: 'n: 1 ü\r\nm: a: b\r\n', reply: 'to.1' });
    frames.add({ subject: 'plain', body: 'two' });
    frames.send();
    await expect.poll(() => arrived.map((message) => message.string())).toEqual(['one', 'two']);
    expect(arrived[0]?.reply).toBe('to.1');
    expect(arrived[0]?.headers?.get('n')).toBe('1 ü');
    expect(arrived[0]?.headers?.get('m')).toBe('a: b');
  });

  it('a pull without a callback is iterated', async () => {
    const { consumer } = await consumerOf(2);
    const withoutCallback = {
      fetch: (options: Parameters<typeof consumer.fetch>[0]) => {
        const { callback: _, ...rest } = options as Record<string, unknown>;
        return consumer.fetch(rest);
      },
    } as typeof consumer;
    const seen: string[] = [];
    const messages = await fetchEach(
      withoutCallback,
      { max_messages: 2, expires: 1_000 },
      (message) => void seen.push(message.string()),
    );
    await messages.closed();
    await expect.poll(() => seen).toEqual(['0', '1']);
  });
});

it('header lines become headers', () => {
  const expected = headers();
  expected.append('a', '1');
  expected.append('b', 'x:y');
  expect([...headersFromLines('a: 1\r\nb: x:y\r\n')]).toEqual([...expected]);
});
