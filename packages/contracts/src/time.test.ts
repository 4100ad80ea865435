import { describe, expect, it } from 'vitest';
import { millisOf } from './time.ts';

describe('milliseconds of an instant are those of Date.parse', () => {
  it.each([
    ['of one minute', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:59.999Z'],
    ['of two minutes', '2026-01-31T09:30:59.999Z', '2026-01-31T09:31:00.000Z'],
    ['before 1970', '1969-12-31T23:59:00.001Z', '1969-12-31T23:59:59.999Z'],
    ['early and late', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'],
    ['with an offset after one without', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:00+01:00'],
    ['with a leap second', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:60.000Z'],
    ['of as many characters and no instant', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:0a.00bZ'],
    ['without a point', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:00:000Z'],
    ['cut short', '2026-01-31T09:30:00.000Z', '2026-01-31T09:30:'],
    ['that is none', '2026-01-31T09:30:00.000Z', 'some day'],
  ])('%s', (_what, ...instants) => {
    for (const instant of [...instants, ...instants]) expect(millisOf(instant)).toBe(Date.parse(instant));
  });
});
