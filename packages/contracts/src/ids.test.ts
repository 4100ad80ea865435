import { decodeTime, isValid } from 'ulid';
import { afterEach, expect, it, vi } from 'vitest';
import { newId } from './ids.ts';

afterEach(() => void vi.useRealTimers());

it('an id is a ULID of its time, unlike every other', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  const ids = Array.from({ length: 2_000 }, newId);
  vi.setSystemTime(1_800_000_000_001);
  const later = newId();
  expect(new Set(ids).size).toBe(2_000);
  expect(ids.every((id) => isValid(id) && decodeTime(id) === 1_800_000_000_000)).toBe(true);
  expect(ids.every((id) => id < later)).toBe(true);
});
