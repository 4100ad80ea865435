import { Fault } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { readRequest } from './read-request.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const faultOf = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
  }
  throw new Error('was not refused');
};

it('takes an empty body for {}', () => {
  expect(readRequest('Jobs.Health', bytes(''))).toEqual({});
});

it('reads instants with any offset as UTC', () => {
  const request = readRequest('Jobs.List', bytes('{"limit":5,"since":"2026-01-01T02:00:00+02:00"}'));
  expect(request).toEqual({ limit: 5, since: '2026-01-01T00:00:00.000Z' });
});

it('passes over fields that it does not know', () => {
  expect(readRequest('Jobs.Get', bytes('{"id":"x","future":1}'))).toEqual({ id: 'x' });
});

it('keeps a refused value short in its message', () => {
  const fault = faultOf(() =>
    readRequest('Jobs.List', bytes(JSON.stringify({ limit: 1, state: ['x'.repeat(10_000)] }))),
  );
  expect(fault.message.length).toBeLessThan(400);
  expect(fault.code).toBe('invalid-request');
});
