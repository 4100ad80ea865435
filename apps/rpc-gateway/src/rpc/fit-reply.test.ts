import type { Job } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { fitJob, fitJobReply, jsonBytes } from './fit-reply.ts';

const job: Job = {
  id: 'j',
  service: 's',
  type: 't',
  state: 'failed',
  context: { requestId: 'r', traceId: 't', traceparent: 'p' },
  payload: 'p'.repeat(1_000),
  result: 'r'.repeat(1_000),
  logs: [{ timestamp: '2026-01-01T00:00:00.000Z', level: 'info', message: 'm'.repeat(1_000) }],
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
  tries: 1,
  maxTries: 5,
};
const bare = jsonBytes({ ...job, payload: {}, result: undefined, logs: undefined });

it('leaves a job alone that fits', () => {
  expect(fitJob(job, jsonBytes(job))).toBe(job);
});

it('drops logs first, then the result, then the payload, and names what is missing', () => {
  expect(fitJob(job, jsonBytes(job) - 1)).toMatchObject({
    omitted: ['logs'],
    result: job.result,
    payload: job.payload,
  });
  expect(fitJob(job, bare + 1_500)).toMatchObject({ omitted: ['logs', 'result'], payload: job.payload });
  const least = fitJob(job, bare + 500);
  expect(least).toMatchObject({ omitted: ['logs', 'result', 'payload'], payload: { $omitted: 1_002 } });
  expect(least).not.toHaveProperty('logs');
  expect(least).not.toHaveProperty('result');
});

it('names only bodies that were there', () => {
  const { logs: _logs, result: _result, ...slim } = job;
  expect(fitJob(slim, bare).omitted).toEqual(['payload']);
});

it('shortens an error that alone would not fit', () => {
  const fitted = fitJob({ ...job, lastError: 'e'.repeat(100_000), progress: { message: 'x'.repeat(100_000) } }, 8_000);
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(8_000);
  expect(fitted.lastError).toMatch(/^e+… \(100000 characters\)$/);
});

it('leaves room for what stands beside the job', () => {
  const reply = { job, projected: false, note: 'n'.repeat(500) };
  const max = jsonBytes(reply) - 1;
  expect(jsonBytes(fitJobReply(reply, max))).toBeLessThanOrEqual(max);
});
