import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ValidationError } from './errors.ts';
import { queue } from './queue.ts';

const payload = z.object({});

it('the defaults are those of the protocol', () => {
  expect(queue({ payload }).settings).toEqual({
    maxDeliver: 5,
    backoffMs: [5_000, 30_000, 120_000, 600_000, 1_800_000],
    ackWaitMs: 300_000,
    concurrency: 1,
    progress: true,
    logs: true,
    dlq: true,
  });
});

describe('a wrong setting is refused by name', () => {
  it.each([
    [{ maxDeliver: 0 }, 'maxDeliver'],
    [{ backoffMs: [] }, 'backoffMs'],
    [{ backoffMs: [100, -1] }, 'backoffMs.1'],
    [{ concurrency: 1.5 }, 'concurrency'],
    [{ ackWaitMs: 10 }, 'ackWaitMs'],
    [{ maxDelivery: 3 }, 'maxDelivery'],
  ])('%o', (settings, field) => {
    expect(() => queue({ payload, ...settings })).toThrow(ValidationError);
    expect(() => queue({ payload, ...settings })).toThrow(`${field}:`);
  });

  it('a payload that is no schema', () => {
    // biome-ignore lint/suspicious/noExplicitAny: what a JavaScript caller may do
    expect(() => queue({ payload: {} as any })).toThrow('payload: expected a zod schema');
  });
});

describe('the times of a keyed queue fit each other', () => {
  const keyConcurrency = { key: ['k', '/origin'], heartbeatTtlMs: 3_000 };

  it('defaults are lowered: an ack_wait of half, a renewal at a quarter of the lease', () => {
    const { settings } = queue({ payload, keyConcurrency });
    expect(settings).toMatchObject({
      ackWaitMs: 1_500,
      keyConcurrency: { heartbeatIntervalMs: 750, maxActive: 1, stalePolicy: 'fail-stale' },
      queue: { maxQueuedPerKey: 0, whenFull: 'reject' },
    });
    expect(queue({ payload, keyConcurrency: { key: ['k'] } }).settings.ackWaitMs).toBe(60_000);
  });

  it.each([
    [{ keyConcurrency, ackWaitMs: 1_501 }, 'ackWaitMs'],
    [{ keyConcurrency: { ...keyConcurrency, heartbeatIntervalMs: 1_001 } }, 'keyConcurrency.heartbeatIntervalMs'],
    [{ keyConcurrency: { ...keyConcurrency, key: [] } }, 'keyConcurrency.key'],
    [{ keyConcurrency: { ...keyConcurrency, key: ['/a~'] } }, 'keyConcurrency.key.0'],
    [{ keyConcurrency, queue: { maxQueuedPerKey: -1 } }, 'queue.maxQueuedPerKey'],
    [{ queue: { maxQueuedPerKey: 1 } }, 'queue'],
  ])('%o is refused by name', (settings, field) => {
    expect(() => queue({ payload, ...settings })).toThrow(`${field}: `);
  });
});
