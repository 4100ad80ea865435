import { headers, type Msg } from '@nats-io/transport-node';
import { FAULTS, Fault, type FaultCode, type Job } from '@trellis/contracts';
import { startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { createClient, type JobsClient } from './client.ts';

const stack = new AsyncDisposableStack();
let nats: TestNats;
let client: JobsClient;

beforeAll(async () => {
  nats = stack.use(await startTestNats());
  client = stack.use(await createClient({ url: nats.url, timeoutMs: 5_000 }));
});
afterAll(() => stack.disposeAsync());

/** A gateway that answers one method with what `answer` does, for as long as it is not disposed. */
async function answering(method: string, answer: (message: Msg) => void): Promise<AsyncDisposable & { asked: Msg[] }> {
  const connection = await nats.connect();
  const asked: Msg[] = [];
  const subscription = connection.subscribe(`rpc.v1.${method}`, {
    callback: (_error, message) => {
      asked.push(message);
      answer(message);
    },
  });
  await connection.flush();
  return {
    asked,
    async [Symbol.asyncDispose]() {
      subscription.unsubscribe();
      await connection.flush();
    },
  };
}

const faultOf = (promise: Promise<unknown>): Promise<Fault> =>
  promise.then(
    () => Promise.reject(new Error('was answered')),
    (error: unknown) => (error instanceof Fault ? error : Promise.reject(error)),
  );

describe('a call', () => {
  it('sends the request and gives the reply, the job itself for get', async () => {
    await using get = await answering('Jobs.Get', (message) =>
      message.respond(JSON.stringify({ job: { id: message.json<{ id: string }>().id } })),
    );
    const job = await client.rpc.jobs.get({ id: 'job_abc123' });
    expectTypeOf(job).toEqualTypeOf<Job>();
    expect(job.id).toBe('job_abc123');
    expect(get.asked[0]?.json()).toEqual({ id: 'job_abc123' });
    await using _key = await answering('Jobs.GetKey', (message) =>
      message.respond(JSON.stringify({ asked: message.json() })),
    );
    const key = { service: 'zendesk-sync', type: 'sync-tickets', key: 'zendesk:foo:tickets' };
    expect(await client.rpc.jobs.getKey(key)).toEqual({ asked: key });
  });

  it('carries a request id of its own, or the one given, with trace and actor', async () => {
    await using health = await answering('Jobs.Health', (message) => message.respond('{}'));
    await client.rpc.jobs.health();
    await client.rpc.jobs.health();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await client.rpc.jobs.health({}, { requestId: 'r-1', traceparent, tracestate: 'a=b', actorId: 'ann' });
    const sent = health.asked.map((message) => (name: string) => message.headers?.get(name));
    expect(sent[0]?.('request-id')).toMatch(/^[0-9A-Z]{26}$/);
    expect(sent[1]?.('request-id')).not.toBe(sent[0]?.('request-id'));
    expect(['request-id', 'traceparent', 'tracestate', 'actor-id'].map((name) => sent[2]?.(name))).toEqual([
      'r-1',
      traceparent,
      'a=b',
      'ann',
    ]);
  });

  it('lists the dead-letter queue as the dead jobs', async () => {
    await using list = await answering('Jobs.List', (message) => message.respond('{"entries": []}'));
    await client.rpc.jobs.listDLQ({ service: 'orders-service', limit: 5 });
    expect(list.asked[0]?.json()).toEqual({ service: 'orders-service', limit: 5, state: ['dead'] });
  });

  it('takes a reply with fields and values that this version does not know', async () => {
    const page = { entries: [{ id: 'x', state: 'paused' }], count: 1, offset: 0, limit: 1, more: true };
    await using _list = await answering('Jobs.List', (message) => message.respond(JSON.stringify(page)));
    expect(await client.rpc.jobs.list({ limit: 1 })).toEqual(page);
  });
});

describe('a refusal', () => {
  it.for(Object.entries(FAULTS) as [FaultCode, (typeof FAULTS)[FaultCode]][])(
    'is thrown as a Fault: %s',
    async ([code, { status, type }]) => {
      await using _cancel = await answering('Jobs.Cancel', (message) => {
        const sent = headers();
        sent.set('status', 'error');
        sent.set('Nats-Service-Error', 'why');
        sent.set('Nats-Service-Error-Code', String(status));
        message.respond(
          JSON.stringify({ id: 'f', type, message: 'the whole story', resource: 'job', jobId: 'j', context: { a: 1 } }),
          { headers: sent },
        );
      });
      const fault = await faultOf(client.rpc.jobs.cancel({ id: 'j' }));
      expect(fault).toMatchObject({
        code,
        status,
        type,
        message: 'the whole story',
        details: { resource: 'job', jobId: 'j', context: { a: 1 } },
      });
    },
  );

  it('without a body of ours still tells its reason', async () => {
    await using _retry = await answering('Jobs.Retry', (message) => {
      const sent = headers();
      sent.set('Nats-Service-Error', 'handler failed');
      sent.set('Nats-Service-Error-Code', '500');
      message.respond('', { headers: sent });
    });
    expect(await faultOf(client.rpc.jobs.retry({ id: 'j' }))).toMatchObject({
      code: 'unexpected',
      message: 'handler failed',
    });
  });
});

describe('nobody', () => {
  it('answering is said at once', async () => {
    const fault = await faultOf(client.rpc.jobs.listServices({ limit: 1 }));
    expect(fault).toMatchObject({ code: 'unavailable' });
    expect(fault.message).toMatch(/nobody answers rpc\.v1\.Jobs\.ListServices: is the jobs gateway running/);
  });

  it('answering in time is said after that time', async () => {
    await using _replay = await answering('Jobs.ReplayDLQ', () => undefined);
    const fault = await faultOf(client.rpc.jobs.replayDLQ({ id: 'j' }, { timeoutMs: 20 }));
    expect(fault).toMatchObject({ code: 'unavailable', message: 'no answer from rpc.v1.Jobs.ReplayDLQ within 20 ms' });
  });

  it('listening at the address is said without its credentials', async () => {
    const fault = await faultOf(createClient({ url: 'nats://ann:secret@127.0.0.1:1' }));
    expect(fault).toMatchObject({ code: 'unavailable' });
    expect(fault.message).toMatch(/no NATS connection to nats:\/\/127\.0\.0\.1:1/);
    expect(fault.message).not.toContain('secret');
  });

  it('being named is said', async () => {
    expect(await faultOf(createClient({}))).toMatchObject({ code: 'invalid-request' });
  });
});

describe('closing', () => {
  it('ends the connection that the client made, and leaves one that it was given', async () => {
    const own = await createClient({ url: nats.url });
    await own.close();
    expect(own.connection.isClosed()).toBe(true);
    await own.close();
    const connection = await nats.connect();
    const given = await createClient({ connection });
    await given.close();
    expect(connection.isClosed()).toBe(false);
  });
});
