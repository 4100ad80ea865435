import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { silentLogger } from '@trellis/async';
import { decodePipelineRecord } from '@trellis/contracts';
import { startTestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HistoryLease, LeaseLost } from './history-lease.ts';

const disposables = new AsyncDisposableStack();
let kv: KV;
beforeAll(async () => {
  const nats = disposables.use(await startTestNats());
  kv = await new Kvm(jetstream(await nats.connect())).create('PIPELINES', { history: 1 });
});
afterAll(() => disposables.disposeAsync());

const lasting = 60_000;
const acquire = async (key: string, owner: string, options: { leaseMs?: number; standby?: () => void } = {}) => {
  const lease = await HistoryLease.acquire({
    kv,
    key,
    owner,
    leaseMs: lasting,
    signal: new AbortController().signal,
    log: silentLogger(),
    ...options,
  });
  if (!lease) throw new Error('not acquired');
  return lease;
};
const stored = async (key: string) => decodePipelineRecord((await kv.get(key))?.string() ?? '');

test('one of many that ask at once gets the lease; the next gets it when it is given back', async () => {
  const owners = Array.from({ length: 8 }, (_, index) => acquire('many', `owner-${index}`, { leaseMs: 1_000 }));
  const epochs: number[] = [];
  let holders = 0;
  await Promise.all(
    owners.map(async (acquiring) => {
      const lease = await acquiring;
      expect(++holders).toBe(1);
      epochs.push(lease.record.epoch);
      await lease.update({ position: lease.record.position + 1 });
      holders -= 1;
      await lease.release();
    }),
  );
  expect(epochs.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect((await stored('many')).position).toBe(8);
});

test('a lease that is kept is not taken over; one that ran out is, and its owner finds out', async () => {
  let standby = () => {};
  const waits = new Promise<void>((resolve) => (standby = resolve));
  const first = await acquire('kept', 'first');
  const second = acquire('kept', 'second', { standby });
  await waits;
  await first.update({ position: 5 });

  // The first one's clock stands still: what it wrote last has run out.
  await kv.put('kept', JSON.stringify({ ...(await stored('kept')), leaseUntil: new Date(0).toISOString() }));
  const taken = await second;
  expect(taken.record).toMatchObject({ owner: 'second', epoch: 2, position: 5 });

  await expect(first.update({ position: 6 })).rejects.toThrow(LeaseLost);
  expect(first.lost.aborted).toBe(true);
  await expect(first.ensure()).rejects.toThrow(LeaseLost);
  await first.release();
  expect(await stored('kept')).toMatchObject({ owner: 'second', epoch: 2, position: 5 });
  await taken.release();
});

test('a process takes its own lease again without waiting', async () => {
  await acquire('own', 'me');
  const again = await acquire('own', 'me');
  expect(again.record.epoch).toBe(2);
  await again.release();
});

test('a lease is renewed by itself', async () => {
  const lease = await acquire('renewed', 'me', { leaseMs: 150 });
  const until = (await stored('renewed')).leaseUntil;
  const watch = await kv.watch({ key: 'renewed' });
  for await (const entry of watch) if (decodePipelineRecord(entry.string()).leaseUntil > until) break;
  expect(lease.lost.aborted).toBe(false);
  await lease.release();
});

test('nobody waits for ever: a stop ends the waiting', async () => {
  const lease = await acquire('stopped', 'me');
  const stop = new AbortController();
  const standby = () => stop.abort();
  const options = {
    kv,
    key: 'stopped',
    owner: 'other',
    leaseMs: lasting,
    signal: stop.signal,
    log: silentLogger(),
    standby,
  };
  expect(await HistoryLease.acquire(options)).toBeUndefined();
  await lease.release();
});

test('a record that is not one of ours is an error that names the field', async () => {
  await kv.put('odd', JSON.stringify({ owner: 'x', epoch: 'one' }));
  await expect(acquire('odd', 'me')).rejects.toThrow(/unreadable: epoch/);
});
