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
