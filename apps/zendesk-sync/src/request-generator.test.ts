import { expect, it } from 'vitest';
import { SyncRequest } from './queues.ts';
import { madeUpRequest } from './request-generator.ts';

const requests = Array.from({ length: 24 }, (_, number) => madeUpRequest(number));

it('every request is a valid one, and the same number makes the same request', () => {
  for (const request of requests) expect(SyncRequest.parse(request)).toEqual(request);
  expect(madeUpRequest(7)).toEqual(requests[7]);
});

it('foo is asked for every second time, and every origin comes up', () => {
  expect(requests.filter(({ origin }) => origin === 'foo')).toHaveLength(12);
  expect(new Set(requests.map(({ origin }) => origin))).toEqual(new Set(['foo', 'bar', 'acme', 'globex']));
});
