import { silentLogger } from '@trellis/async';
import { migratePostgres, openPostgres, PassLedger, type Postgres } from '@trellis/store-postgres';
import { type FreshPostgres, freshPostgres, waitFor } from '@trellis/test-support';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Duty, PassResult } from './duties/duty.ts';
import { workDuty } from './sweep.ts';

let database: FreshPostgres;
let postgres: Postgres;
beforeAll(async () => {
  database = await freshPostgres();
  postgres = openPostgres({ url: database.url });
  await migratePostgres(postgres);
});
afterAll(async () => {
  await postgres.close();
  await database[Symbol.asyncDispose]();
});

let stopping = new AbortController();
let working: Promise<void>[] = [];
afterEach(async () => {
  stopping.abort();
  await Promise.all(working);
  working = [];
  stopping = new AbortController();
  await postgres.query('delete from janitor_passes');
});

function replica(owner: string, run: Duty['run'], { leaseMs = 5_000, intervalMs = 10, signal = stopping.signal } = {}) {
  const ledger = new PassLedger(postgres, owner, leaseMs);
  const work = workDuty({ name: 'deadlines', run }, { ledger, intervalMs, signal, log: silentLogger() });
  working.push(work.done);
  return work;
}

const recorded = async () =>
  (await postgres.query<Record<string, unknown>>(`select * from janitor_passes where duty = 'deadlines'`)).rows[0];

describe('a duty', () => {
  it('is worked by one replica at a time, whatever their number', async () => {
    let inside = 0;
    let most = 0;
    let passes = 0;
    const run = async (): Promise<PassResult> => {
      most = Math.max(most, ++inside);
      await Promise.resolve(postgres.query('select pg_sleep(0.005)'));
      inside--;
      passes++;
      return { counts: {} };
    };
    for (const owner of ['a', 'b', 'c']) replica(owner, run);
    await waitFor(() => passes >= 20, { what: 'twenty passes' });
    expect(most).toBe(1);
  });

  it('is not due again before its interval is over, for no replica', async () => {
    let passes = 0;
    const run = async (): Promise<PassResult> => ({ counts: { pass: ++passes } });
    for (const owner of ['a', 'b']) replica(owner, run, { intervalMs: 3_600_000 });
    await waitFor(async () => (await recorded())?.finished_at, { what: 'the first pass' });
    const ledger = new PassLedger(postgres, 'c', 1_000);
    expect(await ledger.claim('deadlines')).toBeUndefined();
    expect(await ledger.claim('retention')).toMatchObject({ epoch: 1, state: {} });
    expect(passes).toBe(1);
  });

  it('goes on at once while there is more to do, with what the last pass left behind', async () => {
    const states: unknown[] = [];
    replica(
      'a',
      async ({ state }) => {
        states.push(state);
        return { counts: { seen: states.length }, state: { at: states.length }, more: states.length < 3 };
      },
      { intervalMs: 3_600_000 },
    );
    await waitFor(async () => (await recorded())?.passes === 3, { what: 'three passes' });
    expect(states).toEqual([{}, { at: 1 }, { at: 2 }]);
    expect(await recorded()).toMatchObject({ counts: { seen: 3 }, state: { at: 3 }, error: null });
  });

  it('that fails is recorded with the reason, keeps its place, and is tried again', async () => {
    let passes = 0;
    const run = async ({ state }: { state: unknown }): Promise<PassResult> => {
      passes++;
      if (passes === 2) throw new Error('the stream is away');
      if (passes >= 3) {
        expect(state).toEqual({ at: 1 });
        await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
      }
      return { counts: {}, state: { at: passes } };
    };
    replica('a', run);
    await waitFor(() => passes === 3, { what: 'the third pass to begin' });
    const { error, succeeded_at, finished_at } = (await recorded()) ?? {};
    expect(error).toBe('the stream is away');
    expect(String(succeeded_at) <= String(finished_at)).toBe(true);
  });

  it('whose worker died is taken over once its lease is over', async () => {
    const dead = new PassLedger(postgres, 'dead', 50);
    const claim = await dead.claim('deadlines');
    replica('heir', async () => ({ counts: { inherited: 1 } }));
    await waitFor(async () => (await recorded())?.owner === 'heir', { what: 'the heir' });
    // Whoever comes back from the dead can neither go on nor record anything.
    if (!claim) throw new Error('nothing was claimed');
    expect(await dead.renew(claim)).toBe(false);
    const report = { durationMs: 1, counts: { ghost: 1 }, problems: [], error: undefined, state: {}, nextInMs: 0 };
    expect(await dead.finish(claim, report)).toBe(false);
    await waitFor(async () => JSON.stringify((await recorded())?.counts) === '{"inherited":1}', { what: 'its pass' });
  });

  it('keeps its lease for as long as a pass lasts, and is told when it has lost it', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    const over = Promise.withResolvers<void>();
    replica(
      'a',
      async ({ signal }) => {
        begun.resolve(signal);
        await over.promise;
        return { counts: {} };
      },
      { leaseMs: 60 },
    );
    const signal = await begun.promise;
    const started = await recorded();
    await waitFor(async () => String((await recorded())?.lease_until) > String(started?.lease_until), {
      what: 'the lease to be renewed',
    });
    expect(signal.aborted).toBe(false);
    await postgres.query(`update janitor_passes set epoch = epoch + 1, owner = 'b', lease_until = now() + '1 hour'`);
    await waitFor(() => signal.aborted, { what: 'the loss to be noticed' });
    over.resolve();
    stopping.abort();
    await Promise.all(working);
    expect(await recorded()).toMatchObject({ owner: 'b', finished_at: null });
  });

  it('is given back when the process stops, so that another replica goes on at once', async () => {
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const first = replica(
      'a',
      async ({ signal }) => {
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new Error('interrupted');
      },
      { intervalMs: 3_600_000, signal: stop.signal },
    );
    await begun.promise;
    stop.abort();
    await first.done;
    expect(await recorded()).toMatchObject({ error: null });
    replica('b', async () => ({ counts: {} }));
    await waitFor(async () => (await recorded())?.owner === 'b', { what: 'the next replica' });
  });
});
