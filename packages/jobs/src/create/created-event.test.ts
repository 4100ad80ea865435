import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../queue.ts';
import { createdEvent, type NewJob } from './created-event.ts';

const job = (changes: Partial<NewJob> = {}): NewJob => ({
  service: 's',
  jobType: 't',
  queue: queue({ payload: z.unknown(), maxDeliver: 7, defaultDeadlineMs: 90_000 }),
  jobId: 'j1',
  payload: { n: 1 },
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  now: Date.parse('2026-01-31T09:30:00.000Z'),
  maxBytes: undefined,
  ...changes,
});

it('says how often it is tried and by when it is to be done', async () => {
  expect((await createdEvent(job())).event).toMatchObject({
    maxTries: 7,
    deadline: '2026-01-31T09:31:30.000Z',
    tries: 0,
    state: 'pending',
  });
});

describe('a job that would be quarantined or refused later is refused now, by field', () => {
  it.each([
    ['id', { jobId: 'a.b' }],
    ['id', { jobId: 'x'.repeat(600) }],
    // As callers without types may have it.
    ['id', { jobId: JSON.parse('["j1"]') }],
    ['id', { jobId: JSON.parse('null') }],
    ['id', { jobId: JSON.parse('7') }],
    ['payload', { payload: undefined }],
    ['payload.text', { payload: { text: 'a\u0000b' } }],
    ['payload.text', { payload: { text: '\uD800' } }],
    ['payload', { payload: 'x'.repeat(70_000), maxBytes: 65_536 }],
  ])('%s', async (field, changes) => {
    await expect((async () => createdEvent(job(changes)))()).rejects.toMatchObject({ name: 'ValidationError', field });
  });
});
