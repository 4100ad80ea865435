import { expect, it } from 'vitest';
import { mixed, orderPayload } from './order-payload.ts';

it('payloads have about 200 bytes, differ between jobs, and are the same for the same job', () => {
  const bytes = Array.from({ length: 1_000 }, (_, index) => JSON.stringify(orderPayload(index)));
  const mean = bytes.reduce((sum, text) => sum + text.length, 0) / bytes.length;
  expect(mean).toBeGreaterThan(180);
  expect(mean).toBeLessThan(220);
  expect(new Set(bytes).size).toBe(1_000);
  expect(orderPayload(7)).toEqual(orderPayload(7));
});

it('keys are as many as asked for, and used alike', () => {
  const uses = new Map<string, number>();
  for (let index = 0; index < 20_000; index++) {
    const { key } = orderPayload(index, 100);
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  expect(uses.size).toBe(100);
  expect(Math.max(...uses.values())).toBeLessThan(2 * 200);
});

it('mixing keeps numbers apart', () => {
  expect(new Set(Array.from({ length: 10_000 }, (_, index) => mixed(index))).size).toBe(10_000);
});
