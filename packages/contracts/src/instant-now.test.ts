import { afterEach, expect, it, vi } from 'vitest';
import { instantNow } from './time.ts';

afterEach(() => void vi.useRealTimers());

it('the instant is that of the clock, also when the clock goes back', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  expect(instantNow()).toBe('2027-01-15T08:00:00.000Z');
  expect(instantNow()).toBe('2027-01-15T08:00:00.000Z');
  vi.setSystemTime(1_800_000_000_001);
  expect(instantNow()).toBe('2027-01-15T08:00:00.001Z');
  vi.setSystemTime(1_799_999_999_999);
  expect(instantNow()).toBe('2027-01-15T07:59:59.999Z');
});
