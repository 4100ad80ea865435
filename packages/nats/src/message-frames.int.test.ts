import { errors, type Msg } from '@nats-io/transport-node';
import { startTestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MessageFrames } from './message-frames.ts';

let nats: Awaited<ReturnType<typeof startTestNats>>;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

it('messages arrive whole and in order: of any length, with characters of several bytes, with and without headers and reply', async () => {
  const nc = await nats.connect();
  const arrived: Msg[] = [];
  nc.subscribe('frames', { callback: (_, message) => void arrived.push(message) });
  const frames = new MessageFrames(nc);
  const bodies = [
    '',
    'plain',
    'Grüße, 数据 🎉',
    'a\r\nPUB b 0\r\n\r\n',
    'é'.repeat(50_000),
    'x'.repeat(200_000),
    'last',
  ];
  for (const [index, body] of bodies.entries()) {
    frames.add({ subject: 'frames', body, headers: index % 2 ? `n: ${index} ü\r\n` : undefined, reply: `to.${index}` });
    frames.add({ subject: 'frames', body });
  }
  frames.send();
  await expect.poll(() => arrived.length).toBe(2 * bodies.length);
  expect(arrived.map((message) => message.string())).toEqual(bodies.flatMap((body) => [body, body]));
  const first = arrived.filter((_, index) => index % 2 === 0);
  expect(first.map(({ reply }) => reply)).toEqual(bodies.map((_, index) => `to.${index}`));
  expect(first.map(({ headers }) => headers?.get('n'))).toEqual(
    bodies.map((_, index) => (index % 2 ? `${index} ü` : undefined)),
  );
});

it.each(['', 'two words', 'line\r\nPUB other 0', 'tab\tbed'])('no message goes to the subject %j', async (subject) => {
  const frames = new MessageFrames(await nats.connect());
  expect(() => frames.add({ subject, body: '' })).toThrow(errors.InvalidSubjectError);
});

it('a message that is too large for the server is refused, and those beside it arrive', async () => {
  const nc = await nats.connect();
  const arrived: string[] = [];
  nc.subscribe('sizes', { callback: (_, message) => void arrived.push(message.string()) });
  const frames = new MessageFrames(nc);
  frames.add({ subject: 'sizes', body: 'before' });
  const tooLarge = 'x'.repeat((nc.info?.max_payload ?? 0) + 1);
  expect(() => frames.add({ subject: 'sizes', body: tooLarge })).toThrow(errors.InvalidArgumentError);
  frames.add({ subject: 'sizes', body: 'after' });
  frames.send();
  await expect.poll(() => arrived).toEqual(['before', 'after']);
});

it('a closed connection takes nothing', async () => {
  const nc = await nats.connect();
  await nc.close();
  expect(() => new MessageFrames(nc).add({ subject: 'a', body: '' })).toThrow(errors.ClosedConnectionError);
});
