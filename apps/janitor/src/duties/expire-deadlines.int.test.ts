import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type JanitorFixture, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { expireDeadlines } from './expire-deadlines.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const past = () => new Date(Date.now() - 1_000).toISOString();
const future = () => new Date(Date.now() + 60_000).toISOString();

describe('deadlines', () => {
  it('expires an open job whose deadline is over, and says who did it and why', async () => {
    const pending = newJob();
    const active = newJob();
    const later = newJob();
    const without = newJob();
    await fixture.publish(pending, 'created', { deadline: past() });
    await fixture.publish(active, 'created', { deadline: past() });
    await fixture.publish(active, 'started', { tries: 1 });
    await fixture.publish(later, 'created', { deadline: future() });
    await fixture.publish(without, 'created');
    await fixture.project();

    const { counts } = await fixture.pass(expireDeadlines(fixture.ports()));

    expect(counts).toMatchObject({ overdue: 2, expired: 2 });
    const { job, events } = await fixture.stream.readJob(active.id);
    expect(job).toMatchObject({ state: 'expired', lastError: 'job exceeded deadline', tries: 1 });
    expect(events.at(-1)?.event).toMatchObject({
      eventType: 'expired',
      state: 'expired',
      previousState: 'active',
      error: 'job exceeded deadline',
      actor: { kind: 'janitor', id: 'janitor-1' },
      context: { requestId: `req-${active.id}` },
    });
    expect(await fixture.eventsOf(pending)).toEqual(['created', 'expired']);
    expect(await fixture.eventsOf(later)).toEqual(['created']);
    expect(await fixture.eventsOf(without)).toEqual(['created']);
    await fixture.project();
    expect(await fixture.stateOf(pending)).toBe('expired');
  });

  it('publishes nothing for a job that has ended although its row is still open', async () => {
    const job = newJob();
    await fixture.publish(job, 'created', { deadline: past() });
    await fixture.project();
    await fixture.publish(job, 'completed', { state: 'completed' });

    const { counts } = await fixture.pass(expireDeadlines(fixture.ports()));

    expect(counts).toMatchObject({ overdue: 1, expired: 0, ended: 1 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'completed']);
    await fixture.project();
  });

  it('leaves a job alone that was retried with a new deadline although its row shows the old one', async () => {
    const job = newJob();
    await fixture.publish(job, 'created', { deadline: past() });
    await fixture.project();
    await fixture.publish(job, 'failed', { state: 'failed' });
    await fixture.publish(job, 'retried', { state: 'pending', deadline: future(), payload: 1 });

    const { counts } = await fixture.pass(expireDeadlines(fixture.ports()));

    expect(counts).toMatchObject({ overdue: 1, expired: 0, 'not-due': 1 });
    await fixture.project();
  });

  it('never takes a deadline that cannot be read for one that is over', async () => {
    const odd = ['soon', '', '0', '2026-02-30T00:00:00Z', '0000-00-00T00:00:00Z'];
    const jobs = odd.map(() => newJob());
    for (const [index, job] of jobs.entries()) await fixture.publish(job, 'created', { deadline: odd[index] ?? '' });
    const overdue = newJob();
    await fixture.publish(overdue, 'created', { deadline: past() });
    await fixture.project();

    const { counts } = await fixture.pass(expireDeadlines(fixture.ports()));

    expect(counts).toMatchObject({ overdue: 1, expired: 1 });
    for (const job of jobs) expect(await fixture.eventsOf(job)).toEqual(['created']);
    expect(await fixture.eventsOf(overdue)).toEqual(['created', 'expired']);
  });

  it('passes over a row of which the stream holds nothing', async () => {
    const job = newJob();
    await fixture.publish(job, 'created', { deadline: past() });
    await fixture.project();
    await fixture.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${job.id}.*` });

    const { counts } = await fixture.pass(expireDeadlines(fixture.ports()));

    expect(counts).toMatchObject({ overdue: 1, expired: 0, gone: 1 });
    await fixture.postgres.query('delete from jobs where id = $1', [job.id]);
  });

  it('ends a job that changes all the time, with one event', async () => {
    const job = newJob();
    await fixture.publish(job, 'created', { deadline: past() });
    await fixture.publish(job, 'started', { tries: 1 });
    await fixture.project();
    const { stream } = fixture;
    // Every look is followed by a log line, as a chatty handler would write them.
    const chatty = Object.create(stream, {
      lastOfJob: {
        value: async (...asked: Parameters<typeof stream.lastOfJob>) => {
          const last = await stream.lastOfJob(...asked);
          await fixture.publish(job, 'progress', { progress: { current: 1 } });
          return last;
        },
      },
    });

    const duty = expireDeadlines(fixture.ports({}, { stream: chatty }));
    const passes = await Promise.all([fixture.pass(duty), fixture.pass(duty)]);

    expect(passes.map(({ counts }) => counts.overdue)).toEqual([1, 1]);
    expect((await fixture.eventsOf(job)).filter((event) => event === 'expired')).toHaveLength(1);
    await fixture.project();
  });

  it('does not overlook a job that is projected late, while the projection does not show yet what was done', async () => {
    const first = newJob();
    const second = newJob();
    await fixture.publish(first, 'created', { deadline: past() });
    const sequence = await fixture.publish(second, 'created', {
      deadline: new Date(Date.now() - 60_000).toISOString(),
    });
    await fixture.project(sequence - 1);
    const duty = expireDeadlines(fixture.ports());
    const before = await fixture.pass(duty);
    expect(before.counts).toEqual({ overdue: 1, expired: 1 });
    await fixture.project(sequence);
    expect((await fixture.pass(duty, before.state)).counts).toEqual({ overdue: 1, expired: 1 });
    expect(await fixture.eventsOf(second)).toEqual(['created', 'expired']);
  });

  it('goes through all overdue jobs in pages of bounded size, and once while the projection is behind', async () => {
    const jobs = Array.from({ length: 25 }, () => newJob());
    for (const job of jobs) await fixture.publish(job, 'created', { deadline: past() });
    await fixture.project();
    const pages = vi.spyOn(fixture.rows, 'overdue');
    const duty = expireDeadlines(fixture.ports({ janitorPageSize: 10 }));

    const first = await fixture.pass(duty);
    expect(first.counts).toMatchObject({ overdue: 25, expired: 25 });
    expect(pages.mock.calls.map(([, , limit]) => limit)).toEqual([10, 10, 10]);

    const behind = await fixture.pass(duty, first.state);
    expect(behind.counts).toEqual({ overdue: 0, expired: 0 });

    const late = newJob();
    await fixture.publish(late, 'created', { deadline: past() });
    await fixture.project();
    const caughtUp = await fixture.pass(duty, behind.state);
    expect(caughtUp.counts).toMatchObject({ overdue: 1, expired: 1 });
    await fixture.project();
  });

  it('has two replicas at a short interval publish one event for each job', async () => {
    const jobs = Array.from({ length: 60 }, () => newJob());
    await Promise.all(jobs.map((job) => fixture.publish(job, 'created', { deadline: past() })));
    await fixture.project();
    fixture.replica('janitor-a', (ports) => [expireDeadlines(ports)], { janitorPageSize: 7 });
    fixture.replica('janitor-b', (ports) => [expireDeadlines(ports)], { janitorPageSize: 7 });

    await waitFor(async () => ((await fixture.recorded('deadlines'))?.passes ?? 0) >= 6, { what: 'six passes' });

    const events = await Promise.all(jobs.map((job) => fixture.eventsOf(job)));
    expect(new Set(events.map((list) => list.join()))).toEqual(new Set(['created,expired']));
    expect(await fixture.recorded('deadlines')).toMatchObject({
      error: null,
      problems: [],
      owner: expect.stringMatching(/^janitor-[ab]$/),
      duration_ms: expect.any(Number),
      finished_at: expect.any(String),
      succeeded_at: expect.any(String),
    });
  });

  it('has two replicas that work at the very same moment publish one event for each job', async () => {
    const jobs = Array.from({ length: 30 }, () => newJob('billing', 'charge'));
    await Promise.all(jobs.map((job) => fixture.publish(job, 'created', { deadline: past() })));
    await fixture.project();
    // As if the lease of one had run out while it was at work.
    const duties = ['janitor-a', 'janitor-b'].map((instanceId) => expireDeadlines(fixture.ports({ instanceId })));
    await Promise.all(duties.map((duty) => fixture.pass(duty)));
    const events = await Promise.all(jobs.map((job) => fixture.eventsOf(job)));
    expect(new Set(events.map((list) => list.join()))).toEqual(new Set(['created,expired']));
  });
});
