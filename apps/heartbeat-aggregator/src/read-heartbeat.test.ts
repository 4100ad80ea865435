import { heartbeatSubject } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import { readHeartbeat } from './read-heartbeat.ts';

const subject = heartbeatSubject('orders-service', 'charge', 'host-1');
const body = {
  service: 'orders-service',
  jobType: 'charge',
  instanceId: 'host-1',
  timestamp: '2026-01-31T10:00:00.000Z',
};
const read = (fields: Record<string, unknown>, on = subject) =>
  readHeartbeat(on, new TextEncoder().encode(JSON.stringify({ ...body, ...fields })));
const heartbeatOf = (fields: Record<string, unknown>) => {
  const result = read(fields);
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.heartbeat;
};

describe('a heartbeat', () => {
  it('says whose it is, what the worker can do and what it does', () => {
    expect(heartbeatOf({ concurrency: 4, version: '1.2', activeJobs: ['a', 'b'], more: true })).toEqual({
      service: 'orders-service',
      type: 'charge',
      instanceId: 'host-1',
      concurrency: 4,
      version: '1.2',
      activeJobs: ['a', 'b'],
      activeJobCount: 2,
    });
  });

  it('needs no more than its identity and its time', () => {
    expect(heartbeatOf({})).toMatchObject({ concurrency: undefined, version: undefined, activeJobs: undefined });
  });

  it.each<[string, Record<string, unknown>]>([
    ['concurrency', { concurrency: -1 }],
    ['concurrency', { concurrency: 2 ** 40 }],
    ['concurrency', { concurrency: 'four' }],
    ['version', { version: 7 }],
    ['activeJobs', { activeJobs: 'a' }],
  ])('loses only its odd %s', (field, odd) => {
    expect(heartbeatOf(odd)).toMatchObject({ instanceId: 'host-1', [field]: undefined });
  });

  it('keeps only what can be stored of its texts and ids', () => {
    const { version, activeJobs, activeJobCount } = heartbeatOf({
      version: `1\u0000\ud800${'x'.repeat(500)}`,
      activeJobs: ['ok', 'no good', '\u0000', 7, ...Array.from({ length: 2_000 }, (_, index) => `job-${index}`)],
    });
    expect(version).toHaveLength(200);
    expect(version).toMatch(/^1\uFFFD\uFFFDx+$/);
    expect(activeJobs).toHaveLength(1_000);
    expect(activeJobs?.slice(0, 2)).toEqual(['ok', 'job-0']);
    expect(activeJobCount).toBe(2_001);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['nothing', ''],
    ['no time', JSON.stringify({ ...body, timestamp: undefined })],
    ['an unreadable time', JSON.stringify({ ...body, timestamp: 'now' })],
    ['no instance', JSON.stringify({ ...body, instanceId: undefined })],
  ])('with %s is malformed', (_, text) => {
    expect(readHeartbeat(subject, new TextEncoder().encode(text))).toMatchObject({ kind: 'refused', why: 'malformed' });
  });

  it.each(['service', 'jobType', 'instanceId'])('whose body names another %s than its subject is refused', (field) => {
    expect(read({ [field]: 'other' })).toMatchObject({ kind: 'refused', why: 'mismatched' });
  });

  it('on a subject that no worker may have is malformed', () => {
    expect(read({}, 'trellis.jobs.workers.a$b.charge.host-1.heartbeat')).toMatchObject({ why: 'malformed' });
    expect(read({}, `trellis.jobs.workers.s.t.${'x'.repeat(300)}.heartbeat`)).toMatchObject({ why: 'malformed' });
  });
});
