import { Svcm } from '@nats-io/services';
import { silentLogger } from '@trellis/async';
import { createClient } from '@trellis/client';
import { FaultBody, JOB_STATES } from '@trellis/contracts';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, type RawReply, startGateway } from '../testing/gateway-fixture.ts';
import { defineMethod, type Method } from './method.ts';
import { serveUntilStopped } from './serve-rpc.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

function expectFault(reply: RawReply, status: number, type: string): FaultBody {
  expect(reply.header('status')).toBe('error');
  expect(reply.header('Nats-Service-Error-Code')).toBe(String(status));
  expect(reply.header('Nats-Service-Error')).not.toBe('');
  const body = FaultBody.parse(reply.body);
  expect(body.type).toBe(type);
  expect(body.id).toMatch(/^[0-9A-Z]{26}$/);
  return body;
}

describe('a request that cannot be understood names the field', () => {
  const cases: [name: string, method: string, body: unknown, message: RegExp][] = [
    ['malformed JSON', 'Jobs.List', '{"limit": 1', /^body: expected JSON/],
    ['bytes that are no UTF-8', 'Jobs.Get', new Uint8Array([0x22, 0xff, 0x22]), /^body: expected JSON/],
    ['a list instead of an object', 'Jobs.List', [1], /^body: expected a JSON object/],
    ['null', 'Jobs.Health', null, /^body: expected a JSON object/],
    ['no body where a field is required', 'Jobs.List', '', /^limit: required, expected/],
    ['a missing limit', 'Jobs.List', { service: 'orders-service' }, /^limit: required, expected/],
    ['limit 0', 'Jobs.List', { limit: 0 }, /^limit: expected an integer from 1 to 1000/],
    ['limit 100000', 'Jobs.List', { limit: 100_000 }, /^limit: expected an integer from 1 to 1000/],
    ['a limit that is no integer', 'Jobs.List', { limit: 1.5 }, /^limit: expected an integer/],
    ['a limit that is text', 'Jobs.List', { limit: '50' }, /^limit: expected .*got "50"/],
    [
      'an unknown state',
      'Jobs.List',
      { limit: 1, state: ['done'] },
      new RegExp(`^state\\[0\\]: unknown value "done", expected one of: ${JOB_STATES.join(', ')}`),
    ],
    ['a state that is no list', 'Jobs.List', { limit: 1, state: 'dead' }, /^state: expected array, got "dead"/],
    ['a service that is no subject token', 'Jobs.List', { limit: 1, service: 'a.b' }, /^service: expected letters/],
    ['an unreadable time', 'Jobs.List', { limit: 1, since: 'yesterday' }, /^since: expected an RFC 3339/],
    ['a negative offset', 'Jobs.List', { limit: 1, offset: -1 }, /^offset: /],
    ['a cursor of somebody else', 'Jobs.List', { limit: 1, cursor: 'abc' }, /^cursor: expected the nextCursor/],
    ['a missing id', 'Jobs.Get', {}, /^id: required, expected string/],
    ['an id that is no subject token', 'Jobs.Get', { id: 'a b' }, /^id: expected letters/],
    ['a missing id of a job to cancel', 'Jobs.Cancel', {}, /^id: required/],
    ['a force that is text', 'Jobs.Cancel', { id: 'x', force: 'yes' }, /^force: expected boolean, got "yes"/],
  ];
  it.for(cases)('%s', async ([, method, body, message]) => {
    const fault = expectFault(await gateway.request(method, body), 400, 'ValidationError');
    expect(fault.message).toMatch(message);
  });

  it('and lists every problem', async () => {
    const fault = expectFault(
      await gateway.request('Jobs.List', { limit: 0, state: ['x'], service: '*' }),
      400,
      'ValidationError',
    );
    const issues = fault.context?.issues as { field: string }[];
    expect(issues.map((issue) => issue.field).sort()).toEqual(['limit', 'service', 'state[0]']);
  });
});

describe('every reply', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('carries the request id of the caller, errors also its trace id', async () => {
    const good = await gateway.request('Jobs.Health', '', { 'request-id': 'r-1' });
    expect(good.header('request-id')).toBe('r-1');
    expect(good.header('status')).toBe('');
    const bad = await gateway.request('Jobs.Get', { id: 'unknown' }, { 'request-id': 'r-2', traceparent });
    expect(bad.header('request-id')).toBe('r-2');
    const fault = expectFault(bad, 404, 'NotFoundError');
    expect(fault).toMatchObject({ resource: 'job', jobId: 'unknown', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' });
  });

  it('ignores the authentication headers of Trellis callers and fields that it does not know', async () => {
    const carried = { 'session-key': 'k', proof: 'p', iat: '1' };
    const reply = await gateway.request('Jobs.List', { limit: 1, future: true }, carried);
    expect(reply.body).toMatchObject({ offset: 0, limit: 1, entries: expect.any(Array), count: expect.any(Number) });
  });
});

describe('the service', () => {
  it('is found by the NATS service framework, with its endpoints and their figures', async () => {
    const services = new Svcm(gateway.nc).client({ strategy: 'count', maxMessages: 1, maxWait: 8_000 });
    const pings = await Array.fromAsync(await services.ping());
    expect(pings.map((ping) => ping.name)).toEqual(['trellis-jobs']);
    const [info] = await Array.fromAsync(await services.info('trellis-jobs'));
    expect(info?.endpoints.map((endpoint) => endpoint.subject).sort()).toEqual([
      'rpc.v1.Jobs.Cancel',
      'rpc.v1.Jobs.DismissDLQ',
      'rpc.v1.Jobs.Get',
      'rpc.v1.Jobs.GetKey',
      'rpc.v1.Jobs.Health',
      'rpc.v1.Jobs.History',
      'rpc.v1.Jobs.List',
      'rpc.v1.Jobs.ListDLQ',
      'rpc.v1.Jobs.ListServices',
      'rpc.v1.Jobs.ReplayDLQ',
      'rpc.v1.Jobs.Retry',
      'rpc.v1.Jobs.Trace',
    ]);
    await gateway.request('Jobs.Get', {});
    const [stats] = await Array.fromAsync(await services.stats('trellis-jobs'));
    const get = stats?.endpoints?.find((endpoint) => endpoint.subject === 'rpc.v1.Jobs.Get');
    expect(get?.data).toMatchObject({ requests: expect.any(Number), faults: expect.any(Number), inFlight: 0 });
  });

  it('answers every request also while many more come than it works on at once, and refuses those that may not wait', async () => {
    await using other = await startGateway({ maxConcurrent: 2, maxWaiting: 50 });
    const replies = await Promise.all(Array.from({ length: 200 }, () => other.request('Jobs.List', { limit: 1 })));
    const codes = replies.map((reply) => reply.header('Nats-Service-Error-Code'));
    expect(codes).toHaveLength(200);
    expect(codes.filter((code) => code === '').length).toBeGreaterThanOrEqual(52);
    for (const reply of replies.filter((one) => one.header('status') === 'error')) {
      expect(expectFault(reply, 503, 'UnexpectedError').message).toMatch(/too many requests/);
    }
  });

  it('shares the requests between two gateways and goes on when one stops', async () => {
    const stop = new AbortController();
    const log = silentLogger();
    // A server of their own: the shared gateway answers every method.
    await using nats = await startTestNats();
    const nc = await nats.connect();
    const answered: string[] = [];
    const mine = defineMethod({
      name: 'Jobs.GetKey',
      answer: async (request) => {
        answered.push(request.key);
        return { ...request, keyHash: '', active: [], queued: [], queuedDepth: 0, staleTakeoverCount: 0 };
      },
    });
    const run = (connection: typeof nc, signal: AbortSignal) =>
      serveUntilStopped(
        { nc: connection, methods: [mine], ports: gateway.ports, log, maxConcurrent: 4, maxWaiting: 100 },
        signal,
      );
    const first = run(nc, stop.signal);
    const stopSecond = new AbortController();
    const second = run(await nats.connect(), stopSecond.signal);
    await using client = await createClient({ connection: await nats.connect() });
    const ask = (key: string) => client.rpc.jobs.getKey({ service: 's', type: 't', key });
    await waitFor(() => ask('up').catch(() => undefined), { what: 'the gateways to answer' });
    await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`a${i}`)));
    stop.abort();
    await first;
    await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`b${i}`)));
    expect(answered.filter((key) => key !== 'up')).toHaveLength(100);
    stopSecond.abort();
    await second;
  });
});

describe('what goes wrong inside', () => {
  async function serveBroken(answer: () => Promise<never>): Promise<RawReply & { logged: Record<string, unknown>[] }> {
    const stop = new AbortController();
    await using nats = await startTestNats();
    const nc = await nats.connect();
    const broken: Method = { name: 'Jobs.ListServices', handle: answer };
    const logged: Record<string, unknown>[] = [];
    const recording = {
      ...silentLogger(),
      error: (entry: object | string) => void logged.push(entry as Record<string, unknown>),
    };
    const log = { ...silentLogger(), child: () => recording };
    const serving = serveUntilStopped(
      { nc, methods: [broken], ports: gateway.ports, log, maxConcurrent: 4, maxWaiting: 100 },
      stop.signal,
    );
    const message = await waitFor(() => nc.request('rpc.v1.Jobs.ListServices').catch(() => undefined), {
      what: 'an answer',
    });
    const reply: RawReply = { header: (name) => message.headers?.get(name) ?? '', body: message.json() };
    stop.abort();
    await serving;
    return { ...reply, logged };
  }

  it('is answered at once, shows nothing of the inside, and is found in the log by its id', async () => {
    const reply = await serveBroken(async () => {
      throw new Error('select * from secrets failed at postgres://user:hunter2@db');
    });
    const fault = expectFault(reply, 500, 'UnexpectedError');
    expect(JSON.stringify(reply.body) + reply.header('Nats-Service-Error')).not.toMatch(/select|hunter2|postgres|at /i);
    expect(fault.message).toContain(fault.id);
    expect(reply.logged.map((entry) => entry.faultId)).toContain(fault.id);
  });

  it('is a 503 without SQL or credentials when the store is down', async () => {
    await using other = await startGateway({ readerUrl: 'postgres://somebody:hunter2@127.0.0.1:1/jobs' });
    for (const [method, body] of [
      ['Jobs.List', { limit: 1 }],
      ['Jobs.Get', { id: 'x' }],
      ['Jobs.Cancel', { id: 'x' }],
    ] as const) {
      const reply = await other.request(method, body);
      expectFault(reply, 503, 'UnexpectedError');
      expect(JSON.stringify(reply.body)).not.toMatch(/select|127\.0\.0\.1|somebody|hunter2/);
    }
  });

  it('does not end the service: it answers again after the server was away', async () => {
    await using other = await startGateway();
    await other.nats.kill();
    await other.nats.restart();
    const reply = await waitFor(() => other.request('Jobs.Health', '').catch(() => undefined), {
      what: 'an answer after the restart',
    });
    expect(reply.body).toMatchObject({ service: 'trellis-jobs' });
  });
});
