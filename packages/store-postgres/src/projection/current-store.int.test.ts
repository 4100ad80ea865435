import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changed, newJob, openTestCurrentStore, STREAM_CREATED } from '../testing/current-store-fixture.ts';
import { anyFoldedJob, foldedJob } from '../testing/folded-job.ts';
import { CurrentStore, Fenced } from './current-store.ts';
import { NOT_LOADED } from './job-change.ts';
import { planWrites } from './plan-writes.ts';

const commit = { toStoredAt: undefined, changes: planWrites([]), quarantined: [], released: [] };

describe('a batch', () => {
  it('is read back unchanged, whatever its jobs contain', async () => {
    await using test = await openTestCurrentStore();
    await fc.assert(
      fc.asyncProperty(anyFoldedJob, async (job) => {
        await test.postgres.query('truncate jobs');
        expect(await test.commit([newJob(job)])).toEqual({ kind: 'committed' });
        expect(await test.reader.getJob(job.id)).toEqual(job);
        expect([...(await test.store.loadJobs([job.id])).values()]).toEqual([
          { ...job, payload: NOT_LOADED, result: NOT_LOADED },
        ]);
        const { rows } = await test.postgres.query('select payload_bytes from jobs');
        expect(rows).toEqual([{ payload_bytes: Buffer.byteLength(JSON.stringify(job.payload)) }]);
      }),
      { numRuns: 60 },
    );
  });

  it('updates the changed columns, and keeps payloads and results that were not loaded', async () => {
    await using test = await openTestCurrentStore();
    const job = foldedJob({ payload: { big: 'x'.repeat(5_000) }, result: [1, 2] });
    await test.commit([newJob(job)]);
    const loaded = (await test.store.loadJobs(['J1'])).get('J1') ?? job;
    await test.commit([changed(loaded, { state: 'active', tries: 3, startedAt: '2026-02-01T00:00:00.000Z' })]);
    expect(await test.reader.getJob('J1')).toEqual({
      ...job,
      state: 'active',
      tries: 3,
      startedAt: '2026-02-01T00:00:00.000Z',
      lastSequence: 2,
    });
  });

  it('updates changed payloads and results, also to null and to absent', async () => {
    await using test = await openTestCurrentStore();
    const job = foldedJob({ payload: { v: 1 }, result: { r: 1 } });
    await test.commit([newJob(job)]);
    const first = changed(job, { payload: null, result: null });
    await test.commit([first]);
    expect(await test.reader.getJob('J1')).toMatchObject({ payload: null, result: null });
    const second = changed(first.job, { result: undefined });
    await test.commit([second]);
    expect(await test.reader.getJob('J1')).toEqual(second.job);
  });

  it('adds log lines once', async () => {
    await using test = await openTestCurrentStore();
    const entry = { timestamp: '2026-01-31T09:30:01.000Z', level: 'warn' as const, message: 'one' };
    const logs = [
      { sequence: 4, line: 0, entry },
      { sequence: 4, line: 1, entry: { ...entry, message: 'two' } },
    ];
    const added = { ...newJob(foldedJob({})), logs };
    await test.commit([added]);
    await test.commit([{ ...changed(added.job, {}), logs }]);
    expect((await test.reader.getJob('J1'))?.logs.map(({ message }) => message)).toEqual(['one', 'two']);
  });

  it('restarts a job without anything of the old one', async () => {
    await using test = await openTestCurrentStore();
    const entry = { timestamp: '2026-01-31T09:30:01.000Z', level: 'info' as const, message: 'old' };
    const old = foldedJob({ state: 'completed', result: 'old', lastSequence: 9 });
    await test.commit([{ ...newJob(old), logs: [{ sequence: 3, line: 0, entry }] }]);
    const anew = foldedJob({ service: 'billing', payload: 'new', lastSequence: 9, firstSequence: 9 });
    const logs = [{ sequence: 9, line: 0, entry: { ...entry, message: 'new' } }];
    await test.commit([{ before: old, job: anew, restarted: true, logs }]);
    expect(await test.reader.getJob('J1')).toEqual({ ...anew, logs: [{ ...entry, message: 'new' }] });
    expect(await test.counts()).toEqual({ 'billing pending': 1 });
  });

  it('updates the number of jobs in each state', async () => {
    await using test = await openTestCurrentStore();
    const jobs = ['A', 'B', 'C'].map((id) => foldedJob({ id }));
    await test.commit(jobs.map(newJob));
    await test.commit(jobs.slice(1).map((job) => changed(job, { state: 'completed' })));
    expect(await test.counts()).toEqual({ 'orders-service pending': 1, 'orders-service completed': 2 });
  });

  it('is outdated, and writes nothing, when a row that it would update is gone', async () => {
    await using test = await openTestCurrentStore();
    const [kept, gone] = [foldedJob({ id: 'kept' }), foldedJob({ id: 'gone' })];
    await test.commit([newJob(kept), newJob(gone)]);
    await test.postgres.query(`delete from jobs where id = 'gone'`);
    expect(await test.commit([changed(kept, { tries: 7 }), changed(gone, { tries: 7 })])).toEqual({ kind: 'outdated' });
    expect(await test.reader.getJob('kept')).toMatchObject({ tries: 0 });
  });

  it('is outdated, and writes nothing, when a row that it would restart is gone', async () => {
    await using test = await openTestCurrentStore();
    const old = foldedJob({ state: 'completed' });
    await test.commit([newJob(old)]);
    await test.postgres.query('delete from jobs');
    const change = { before: old, job: foldedJob({ lastSequence: 9 }), restarted: true, logs: [] };
    expect(await test.commit([change])).toEqual({ kind: 'outdated' });
    expect(await test.counts()).toEqual({ 'orders-service completed': 1 });
  });

  it('is outdated, and writes nothing, when a row that it would insert exists', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([newJob(foldedJob({ tries: 1 }))]);
    expect(await test.commit([newJob(foldedJob({ tries: 2, lastSequence: 8 }))])).toEqual({ kind: 'outdated' });
    expect(await test.reader.getJob('J1')).toMatchObject({ tries: 1 });
  });

  it.each([
    ['an index row that is too large', '54000', { concurrency: { key: randomText(20_000), keyHash: 'a' } }],
    ['a number that is too large', '22003', { tries: 2_147_483_648 }],
    ['an invalid instant', '22008', { deadline: 'some day' }],
    ['an instant out of range', '22008', { deadline: '2026-13-45T00:00:00.000Z' }],
    ['a NUL character in text', '22021', { lastError: 'a\u0000b' }],
    ['a NUL character in a body', '22P05', { payload: { a: '\u0000' } }],
    ['a lone surrogate in a body', '22P02', { payload: { a: '\ud800' } }],
    ['a lone surrogate in text', '22021', { lastError: '\ud800' }],
  ])('is refused with the SQLSTATE of Postgres, and writes nothing: %s', async (_what, storeCode, fields) => {
    await using test = await openTestCurrentStore();
    const good = newJob(foldedJob({ id: 'good' }));
    const bad = newJob(foldedJob({ id: 'bad', ...fields }));
    expect(await test.commit([good, bad])).toMatchObject({ kind: 'refused', refusal: { storeCode } });
    expect(await test.store.tryChanges(test.lease, 0, [bad])).toMatchObject({
      kind: 'refused',
      refusal: { storeCode },
    });
    expect(await test.store.tryChanges(test.lease, 0, [good])).toEqual({ kind: 'committed' });
    expect(await test.store.loadJobs(['good', 'bad'])).toEqual(new Map());
  });
});

describe('the fence', () => {
  it('lets exactly one of two commits at the same position pass', async () => {
    await using test = await openTestCurrentStore();
    const outcomes = await Promise.allSettled([
      test.store.commitBatch(test.lease, {
        ...commit,
        from: 0,
        to: 5,
        changes: planWrites([newJob(foldedJob({ tries: 1 }))]),
      }),
      test.store.commitBatch(test.lease, {
        ...commit,
        from: 0,
        to: 6,
        changes: planWrites([newJob(foldedJob({ tries: 2 }))]),
      }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find((outcome) => outcome.status === 'rejected')?.reason).toBeInstanceOf(Fenced);
    const { rows } = await test.postgres.query<{ position: number }>('select position from pipelines');
    expect(rows[0]?.position).toBe(outcomes[0]?.status === 'fulfilled' ? 5 : 6);
    expect((await test.reader.getJob('J1'))?.tries).toBe(outcomes[0]?.status === 'fulfilled' ? 1 : 2);
  });

  it('stops the former owner after another owner has taken over', async () => {
    await using test = await openTestCurrentStore();
    await test.store.leases.release(test.lease);
    const successor = await test.store.leases.acquire('another');
    expect(successor).toMatchObject({ owner: 'another', epoch: test.lease.epoch + 1 });
    const late = test.store.commitBatch(test.lease, {
      ...commit,
      from: 0,
      to: 5,
      changes: planWrites([newJob(foldedJob({}))]),
    });
    await expect(late).rejects.toThrow(Fenced);
    await expect(test.store.clear(test.lease, 0)).rejects.toThrow(Fenced);
    expect(await test.store.loadJobs(['J1'])).toEqual(new Map());
  });

  it('stops an owner that expects another checkpoint', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([newJob(foldedJob({}))], { to: 10 });
    await expect(test.store.commitBatch(test.lease, { ...commit, from: 9, to: 11 })).rejects.toThrow(Fenced);
  });

  it('makes the next owner wait for an open transaction and see its writes', async () => {
    await using test = await openTestCurrentStore();
    await test.postgres.query(`update pipelines set lease_until = now() - interval '1 second'`);
    const writing = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const slow = test.postgres.transaction(async (client) => {
      await client.query(`update pipelines set position = 7, lease_until = now() + interval '10 seconds'`);
      writing.resolve();
      await finish.promise;
    });
    await writing.promise;
    const taking = test.store.leases.acquire('another');
    finish.resolve();
    await slow;
    expect(await taking).toBeUndefined();
  });
});

describe('the quarantine', () => {
  const message = {
    sequence: 3,
    storedAt: '2026-01-31T09:30:00.000Z',
    subject: 'trellis.jobs.s.t.J.\u0000odd',
    code: 'not-json' as const,
    reason: 'Unexpected token \ud800',
    data: Uint8Array.of(0, 255, 128),
  };

  it('stores any message completely', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([], { quarantined: [message, { ...message, sequence: 4, storeCode: '22P05' }], to: 4 });
    const [first, second] = await test.store.listQuarantined(test.lease, 0, 10, 10);
    expect(first).toEqual({
      ...message,
      subject: 'trellis.jobs.s.t.J.\uFFFDodd',
      reason: 'Unexpected token \uFFFD',
      data: Buffer.from(message.data),
    });
    expect(second).toMatchObject({ sequence: 4, storeCode: '22P05' });
  });

  it('is read in pages, for one stream only', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([], { quarantined: [1, 2, 3, 4].map((sequence) => ({ ...message, sequence })), to: 4 });
    const page = async (after: number, upTo: number) =>
      (await test.store.listQuarantined(test.lease, after, upTo, 2)).map(({ sequence }) => sequence);
    expect(await page(0, 9)).toEqual([1, 2]);
    expect(await page(2, 3)).toEqual([3]);
    const other = { ...test.lease, streamCreated: '2026-05-05T00:00:00.000Z' };
    expect(await test.store.listQuarantined(other, 0, 9, 9)).toEqual([]);
  });

  it('stays when the projection is cleared, and loses only messages that are projected now', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([newJob(foldedJob({}))], { quarantined: [message, { ...message, sequence: 4 }], to: 4 });
    await test.store.clear(test.lease, 4);
    expect(await test.store.findStart(STREAM_CREATED)).toEqual({ hasJobs: false, quarantinedUpTo: 4 });
    expect(await test.counts()).toEqual({});
    await test.store.commitBatch(test.lease, { ...commit, from: 0, to: 5, released: [3, 5] });
    expect((await test.store.listQuarantined(test.lease, 0, 9, 9)).map(({ sequence }) => sequence)).toEqual([4]);
  });

  it('has the latest message of a sequence that a restored stream used twice', async () => {
    await using test = await openTestCurrentStore();
    await test.commit([], { quarantined: [message], to: 3 });
    await test.commit([], { quarantined: [{ ...message, code: 'bad-field' }], to: 4 });
    expect(await test.store.listQuarantined(test.lease, 0, 9, 9)).toMatchObject([{ sequence: 3, code: 'bad-field' }]);
  });
});

describe('the lease', () => {
  it('is acquired by one of several owners', async () => {
    await using test = await openTestCurrentStore();
    await test.store.leases.release(test.lease);
    const taken = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => test.store.leases.acquire(owner)));
    expect(taken.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it('is renewed while its epoch is the latest', async () => {
    await using test = await openTestCurrentStore();
    expect(await test.store.leases.renew(test.lease)).toBe(true);
    expect(await test.store.leases.acquire('another')).toBeUndefined();
    const again = await test.store.leases.acquire('test');
    expect(again?.epoch).toBe(test.lease.epoch + 1);
    expect(await test.store.leases.renew(test.lease)).toBe(false);
  });

  it('can be acquired by others after it expired', async () => {
    await using test = await openTestCurrentStore();
    const short = new CurrentStore(test.postgres, { leaseMs: 0 });
    await short.leases.renew(test.lease);
    expect(await test.store.leases.acquire('another')).toMatchObject({ epoch: test.lease.epoch + 1 });
  });

  it('is renewed by every commit', async () => {
    await using test = await openTestCurrentStore();
    await test.store.leases.release(test.lease);
    await test.commit([], { to: 4, toStoredAt: '2026-01-31T09:30:00.123Z' });
    expect(await test.store.leases.acquire('another')).toBeUndefined();
    await test.store.leases.release(test.lease);
    expect(await test.store.leases.acquire('another')).toMatchObject({
      position: 4,
      positionStoredAt: '2026-01-31T09:30:00.123Z',
      streamCreated: STREAM_CREATED,
    });
  });
});

/** Incompressible text. */
function randomText(length: number): string {
  let state = 12_345;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return String.fromCharCode(33 + ((state >> 16) % 90));
  }).join('');
}
