import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type JanitorFixture, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { readJob } from './read-job.ts';

let fixture: JanitorFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

it('a job is folded from all its events, without a question for one after its last', async () => {
  const job = newJob();
  await fixture.publish(job, 'created');
  await fixture.publish(newJob(), 'created');
  await fixture.publish(job, 'started', { tries: 1 });
  const lastSequence = await fixture.publish(job, 'completed', { state: 'completed', result: 7 });
  const looks = vi.spyOn(fixture.stream, 'nextOf');
  const read = await readJob(fixture.stream, job);
  const asked = looks.mock.calls.map(([, sequence]) => sequence);
  looks.mockRestore();
  expect(Math.max(...asked)).toBeLessThanOrEqual(lastSequence);
  expect(read).toMatchObject({ job: { state: 'completed', result: 7, tries: 1 }, lastSequence });
  expect(read).toEqual(await fixture.stream.readJob(job.id));
});

it('messages that cannot be read count for the condition, not for the fold', async () => {
  const job = newJob();
  await fixture.publish(job, 'created');
  const { seq } = await fixture.stream.js.publish(`trellis.jobs.${job.service}.${job.type}.${job.id}.completed`, '{');
  expect(await readJob(fixture.stream, job)).toMatchObject({ job: { state: 'pending' }, lastSequence: seq });
});

it('an id that belongs to somebody else is no job', async () => {
  const job = newJob();
  await fixture.publish(job, 'created');
  const impostor = { ...job, service: 'other' };
  await fixture.publish(impostor, 'created');
  expect(await readJob(fixture.stream, impostor)).toEqual({ job: undefined, events: [], lastSequence: 0 });
  expect(await readJob(fixture.stream, newJob())).toEqual({ job: undefined, events: [], lastSequence: 0 });
});
