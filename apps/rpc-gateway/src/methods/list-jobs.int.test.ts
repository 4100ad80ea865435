import { type ListReply, Omitted, type RpcRequest } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';
import { writeJobs } from '../testing/small-projection.ts';

const KIB = 1_024;
const START = Date.parse('2026-03-01T00:00:00.000Z');

let gateway: GatewayFixture;
beforeAll(async () => {
  // Room for a reply of some 60 KiB.
  gateway = await startGateway({ natsConfig: `max_payload: ${64 * KIB}` });
});
afterAll(() => gateway[Symbol.asyncDispose]());

type Request = Omit<RpcRequest<'Jobs.List'>, 'limit'> & { limit?: number };
const list = (request: Request): Promise<ListReply> => gateway.client.rpc.jobs.list({ limit: 50, ...request });
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();

/** Rows of a service, one second apart, as the projection would have them. */
async function rows(
  service: string,
  count: number,
  make: (i: number) => Partial<FoldedJob> = () => ({}),
): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, i): FoldedJob => {
    const id = `${service}-${String(i).padStart(5, '0')}`;
    return {
      id,
      service,
      type: `type-${i % 3}`,
      state: i % 10 === 0 ? 'dead' : 'completed',
      context: {
        requestId: `request-${id}`,
        traceId: 'a'.repeat(32),
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      },
      payload: { i },
      result: undefined,
      createdAt: at(i),
      updatedAt: at(i),
      startedAt: undefined,
      completedAt: undefined,
      tries: 1,
      maxTries: 5,
      lastError: undefined,
      deadline: undefined,
      progress: undefined,
      logs: [],
      concurrency: undefined,
      queuePolicy: undefined,
      cancelRequestedAt: undefined,
      instanceId: undefined,
      headMissing: false,
      handedBack: false,
      originSequence: i,
      originAt: at(i),
      firstSequence: i,
      lastSequence: i,
      ...make(i),
    };
  });
  await gateway.postgres.transaction((client) => writeJobs(client, jobs));
  return jobs.map((job) => job.id);
}

describe('paging', () => {
  const TOTAL = 5_000;
  let ids: string[];
  beforeAll(async () => {
    ids = (await rows('pages', TOTAL)).reverse();
  });

  it('by offset is complete and without doubles', async () => {
    const seen: string[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: ListReply = await list({ service: 'pages', offset, limit: 1_000 });
      expect(page).toMatchObject({ count: TOTAL, offset, limit: 1_000 });
      expect(page.countAtLeast).toBeUndefined();
      seen.push(...page.entries.map((job) => job.id));
      offset = page.nextOffset;
    }
    expect(seen).toEqual(ids);
  });

  it.for(['newest', 'oldest'] as const)('by cursor is complete and without doubles, %s first', async (order) => {
    const seen: string[] = [];
    let page = await list({ service: 'pages', order, limit: 333 });
    for (;;) {
      expect(page.offset).toBe(seen.length);
      seen.push(...page.entries.map((job) => job.id));
      if (page.nextCursor === undefined) break;
      page = await list({ service: 'pages', cursor: page.nextCursor, limit: 333 });
    }
    expect(page.nextOffset).toBeUndefined();
    expect(seen).toEqual(order === 'newest' ? ids : ids.toReversed());
  });

  it('does not shift under a cursor when jobs are created meanwhile', async () => {
    const first = await list({ service: 'moving', limit: 10 });
    expect(first).toMatchObject({ entries: [], count: 0, offset: 0 });
    const before = (await rows('moving', 30)).reverse();
    const seen: string[] = [];
    let page = await list({ service: 'moving', limit: 10 });
    for (let i = 0; ; i++) {
      seen.push(...page.entries.map((job) => job.id));
      if (page.nextCursor === undefined) break;
      await gateway.postgres.query(`update jobs set service = 'moving' where id = $1`, [ids[i] ?? '']);
      page = await list({ service: 'moving', cursor: page.nextCursor, limit: 10 });
    }
    expect(seen).toEqual(before);
    await gateway.postgres.query(`update jobs set service = 'pages' where service = 'moving' and id like 'pages%'`);
  });

  it('counts exactly by service, type and state, and up to the limit by anything else', async () => {
    expect((await list({ service: 'pages', type: 'type-1', limit: 1 })).count).toBe(1_667);
    expect((await list({ service: 'pages', state: ['dead'], limit: 1 })).count).toBe(500);
    expect((await list({ service: 'pages', state: ['dead', 'completed'], type: 'type-0', limit: 1 })).count).toBe(
      1_667,
    );
    const filtered = await list({ service: 'pages', since: at(4_990), limit: 3 });
    expect(filtered).toMatchObject({ count: 10, offset: 0 });
    expect(filtered.entries.map((job) => job.id)).toEqual(ids.slice(0, 3));
  });

  it('ends with the last page', async () => {
    const last = await list({ service: 'pages', offset: TOTAL - 5, limit: 5 });
    expect(last.entries).toHaveLength(5);
    expect([last.nextOffset, last.nextCursor]).toEqual([undefined, undefined]);
    expect(await list({ service: 'pages', offset: TOTAL + 5, limit: 5 })).toMatchObject({
      entries: [],
      count: TOTAL,
      offset: TOTAL + 5,
    });
  });

  it('refuses a cursor together with an offset or another order', async () => {
    const { nextCursor = '' } = await list({ service: 'pages', limit: 1 });
    await expect(list({ cursor: nextCursor, offset: 1 })).rejects.toThrow(
      /^cursor: expected either a cursor or an offset/,
    );
    await expect(list({ cursor: nextCursor, order: 'oldest' })).rejects.toThrow(/^order: expected newest/);
  });
});

describe('filters', () => {
  it('find a job by each of its marks', async () => {
    const job = newJob('marked', 'm');
    const context = {
      requestId: 'the-request',
      traceId: 'c'.repeat(32),
      traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`,
    };
    const concurrency = { key: 'zendesk:foo:tickets', keyHash: 'f00', slotToken: 'secret' };
    await gateway.publish(job, 'created', { payload: { a: 1 }, context, concurrency });
    await gateway.publish(job, 'started', { context, state: 'active', tries: 1 });
    await gateway.publish(job, 'failed', { context, state: 'failed', error: 'Payment provider said 503: 100% down_' });
    await gateway.projected();
    const { updatedAt } = await gateway.client.rpc.jobs.get({ id: job.id });
    const later = new Date(Date.parse(updatedAt) + 1).toISOString();
    const found: Request[] = [
      { service: 'marked' },
      { type: 'm' },
      { service: 'marked', state: ['failed', 'dead'] },
      { traceId: context.traceId },
      { requestId: 'the-request' },
      { key: 'zendesk:foo:tickets' },
      { search: 'provider SAID 503' },
      { search: '100% down_' },
      { service: 'marked', since: updatedAt },
      { service: 'marked', until: later },
      { service: 'marked', state: [] },
    ];
    for (const filter of found) {
      const page = await list(filter);
      expect(
        page.entries.map((entry) => entry.id),
        JSON.stringify(filter),
      ).toEqual([job.id]);
      expect(page.count).toBe(1);
    }
    const passedOver: Request[] = [
      { service: 'marked', state: ['completed'] },
      { service: 'marked', since: later },
      { service: 'marked', until: updatedAt },
      { service: 'marked', traceId: 'e'.repeat(32) },
      { service: 'marked', search: '100_ down' },
    ];
    for (const filter of passedOver)
      expect(await list(filter), JSON.stringify(filter)).toMatchObject({ entries: [], count: 0 });
    expect(JSON.stringify(await list({ service: 'marked' }))).not.toContain('secret');
  });

  it('see every state there is: none fails a page', async () => {
    const states = [
      'pending',
      'active',
      'retry',
      'completed',
      'failed',
      'cancelled',
      'expired',
      'skipped',
      'stale',
      'dead',
      'dismissed',
    ] as const;
    await rows('states', states.length, (i) => ({ state: states[i] ?? 'dead' }));
    const page = await list({ service: 'states', order: 'oldest' });
    expect(page.entries.map((job) => job.state)).toEqual(states);
  });
});

describe('bodies', () => {
  it('are small payloads only, unless more is asked for', async () => {
    const job = newJob('bodies');
    await gateway.publish(job, 'created', { payload: { text: 'x'.repeat(5_000) } });
    await gateway.publish(job, 'logged', { logs: [{ timestamp: at(0), level: 'info', message: 'hello' }] });
    await gateway.publish(job, 'completed', { state: 'completed', result: { ok: true } });
    await gateway.projected();
    const [plain] = (await list({ service: 'bodies' })).entries;
    expect(Omitted.parse(plain?.payload)).toEqual({ $omitted: 5_011 });
    expect(plain).not.toHaveProperty('result');
    expect(plain).not.toHaveProperty('logs');
    const [whole] = (await list({ service: 'bodies', include: ['payload', 'result', 'logs'] })).entries;
    expect(whole).toMatchObject({
      payload: { text: 'x'.repeat(5_000) },
      result: { ok: true },
      logs: [{ message: 'hello' }],
    });
  });

  it('never make a reply outgrow the broker: the page gets shorter and says where it goes on', async () => {
    const ids = (await rows('heavy', 60, (i) => ({ payload: { i, text: 'y'.repeat(6_000) } }))).reverse();
    const seen: string[] = [];
    let page = await list({ service: 'heavy', include: ['payload'], limit: 60 });
    expect(page.entries.length).toBeLessThan(60);
    expect(page.nextOffset).toBe(page.entries.length);
    for (;;) {
      expect(JSON.stringify(page).length).toBeLessThan(64 * KIB);
      seen.push(...page.entries.map((job) => job.id));
      if (page.nextCursor === undefined) break;
      page = await list({ service: 'heavy', include: ['payload'], limit: 60, cursor: page.nextCursor });
    }
    expect(seen).toEqual(ids);
    const light = await list({ service: 'heavy', limit: 60 });
    expect(light.entries).toHaveLength(60);
  });

  it('of one job that is too large by itself go: logs, then the result, then the payload', async () => {
    await rows('giant', 2, (i) => (i === 0 ? { payload: 'p'.repeat(70 * KIB) } : { result: 'r'.repeat(70 * KIB) }));
    const first = await list({ service: 'giant', include: ['payload', 'result'] });
    expect(first.entries).toHaveLength(1);
    expect(first.entries[0]).toMatchObject({ omitted: ['result'], payload: { i: 1 } });
    expect(first.entries[0]).not.toHaveProperty('result');
    const second = await list({ service: 'giant', include: ['payload', 'result'], cursor: first.nextCursor ?? '' });
    expect(second.entries[0]).toMatchObject({ omitted: ['payload'], payload: { $omitted: 70 * KIB + 2 } });
    expect(second.nextCursor).toBeUndefined();
  });
});
