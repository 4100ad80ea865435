import { errors, type Msg, PermissionViolationError, TimeoutError } from '@nats-io/transport-node';
import { startTestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RequestPipe } from './request-pipe.ts';

let nats: Awaited<ReturnType<typeof startTestNats>>;
beforeAll(async () => {
  nats = await startTestNats({
    extraConfig: `authorization {
  users = [
    { user: any, password: any }
    { user: narrow, password: narrow, permissions: { publish: { allow: ["open.>", "_INBOX.>"] } } }
  ]
}`,
  });
});
afterAll(() => nats.stop());

const connect = (user = 'any') => nats.connect({ user, pass: user });
const ask = (pipe: RequestPipe, subject: string, text = '', timeoutMs = 10_000) =>
  pipe.request(subject, text, { timeoutMs });

it('every request gets its own answer, in whatever order they come and however many wait', async () => {
  const nc = await connect();
  const answerLater: Msg[] = [];
  nc.subscribe('open.echo', {
    callback: (_, message) => {
      answerLater.push(message);
      if (answerLater.length < 500) return;
      for (const one of answerLater.splice(0).reverse()) one.respond(one.data);
    },
  });
  const pipe = new RequestPipe(nc);
  const texts = Array.from({ length: 5_000 }, (_, index) => `n ${index}`);
  const answers = await Promise.all(texts.map((text) => ask(pipe, 'open.echo', text)));
  expect(answers.map((answer) => answer.string())).toEqual(texts);
});

it('a server that answers slowly is sent no more than it can have in hand', async () => {
  const nc = await connect();
  const asked: Msg[] = [];
  nc.subscribe('open.slow', { callback: (_, message) => void asked.push(message) });
  const pipe = new RequestPipe(nc);
  const answers = Promise.all(Array.from({ length: 1_500 }, () => ask(pipe, 'open.slow')));
  await expect.poll(() => asked.length).toBe(1_000);
  await nc.flush();
  expect(asked).toHaveLength(1_000);
  for (const message of asked) message.respond();
  await expect.poll(() => asked.length).toBe(1_500);
  for (const message of asked.slice(1_000)) message.respond();
  expect(await answers).toHaveLength(1_500);
});

it('the time in which a request is to be answered begins when it is sent', async () => {
  const nc = await connect();
  const asked: Msg[] = [];
  nc.subscribe('open.busy', { callback: (_, message) => void asked.push(message) });
  nc.subscribe('open.never', { callback: () => undefined });
  const pipe = new RequestPipe(nc);
  const first = Promise.all(Array.from({ length: 1_000 }, () => ask(pipe, 'open.busy')));
  const waits = ask(pipe, 'open.busy', 'waits', 1_000);
  await expect(ask(new RequestPipe(nc), 'open.never', '', 1_000)).rejects.toThrow(TimeoutError);
  for (const message of asked.splice(0)) message.respond();
  await first;
  await expect.poll(() => asked.length).toBe(1);
  asked[0]?.respond('answered');
  expect((await waits).string()).toBe('answered');
});

it('a request that nobody takes fails at once', async () => {
  const pipe = new RequestPipe(await connect());
  await expect(ask(pipe, 'open.nobody')).rejects.toThrow(errors.NoRespondersError);
});

it('a request that is not answered fails with its own timeout, and a late answer is nobody else’s', async () => {
  const nc = await connect();
  const asked: Msg[] = [];
  nc.subscribe('open.late', { callback: (_, message) => void asked.push(message) });
  const pipe = new RequestPipe(nc);
  await expect(ask(pipe, 'open.late', 'first', 1)).rejects.toThrow(TimeoutError);
  const second = ask(pipe, 'open.late', 'second');
  await expect.poll(() => asked.length).toBe(2);
  asked[0]?.respond('to the first');
  asked[1]?.respond('to the second');
  expect((await second).string()).toBe('to the second');
});

it('what is not permitted fails at once, and only that', async () => {
  const nc = await connect('narrow');
  nc.subscribe('open.echo2', { callback: (_, message) => void message.respond() });
  const pipe = new RequestPipe(nc);
  const [denied, allowed] = await Promise.allSettled([ask(pipe, 'closed.x'), ask(pipe, 'open.echo2')]);
  expect(denied).toMatchObject({ status: 'rejected', reason: expect.any(PermissionViolationError) });
  expect(allowed.status).toBe('fulfilled');
});

it('when the connection is lost what was sent fails at once, and what is sent after the reconnect is answered', async () => {
  await using other = await startTestNats();
  const nc = await other.connect();
  const silent = await other.connect();
  silent.subscribe('open.silent', { callback: () => undefined });
  await silent.flush();
  const pipe = new RequestPipe(nc);
  const lost = ask(pipe, 'open.silent', '', 60_000);
  const failed = expect(lost).rejects.toThrow('the connection was lost');
  await nc.flush();
  await other.kill();
  await failed;
  await other.restart();
  nc.subscribe('open.again', { callback: (_, message) => void message.respond('here') });
  await nc.flush();
  expect((await ask(pipe, 'open.again')).string()).toBe('here');
  await nc.close();
  await expect(ask(pipe, 'open.again')).rejects.toThrow(errors.ClosedConnectionError);
});
