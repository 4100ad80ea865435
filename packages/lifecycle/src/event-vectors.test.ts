import { EVENT_TYPES, JOB_STATES } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import { readEventVectors } from './testing/event-vectors.ts';
import { replayVector } from './testing/replay-vector.ts';
import { toWireJob } from './wire-job.ts';

const wireJobs = (jobs: ReturnType<typeof replayVector>['jobs']) =>
  Object.fromEntries([...jobs].map(([id, job]) => [id, toWireJob(job)]));

describe.each(readEventVectors())('$file: $name', (vector) => {
  it('comes to the jobs and the quarantine that it says', () => {
    const { jobs, quarantined } = replayVector(vector);
    expect(wireJobs(jobs)).toEqual(vector.expect.jobs);
    expect(quarantined).toEqual(vector.expect.quarantined);
  });

  it('comes to the same when every event is seen three times', () => {
    const { jobs, quarantined } = replayVector(vector, 3);
    expect(wireJobs(jobs)).toEqual(vector.expect.jobs);
    expect(quarantined).toEqual(vector.expect.quarantined);
  });
});

it('the vectors show every event, and every state', () => {
  const vectors = readEventVectors();
  const seen = new Set(
    vectors.flatMap(({ events }) => events.map((event) => ('subject' in event ? event.subject.split('.')[5] : ''))),
  );
  const states = new Set(vectors.flatMap((vector) => Object.values(vector.expect.jobs).map(({ state }) => state)));
  expect([...seen]).toEqual(expect.arrayContaining([...EVENT_TYPES]));
  expect([...states].sort()).toEqual([...JOB_STATES].sort());
});
