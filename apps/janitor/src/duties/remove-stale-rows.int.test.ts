import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type JanitorFixture, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { removeStaleRows } from './remove-stale-rows.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

const purge = (id: string) => fixture.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${id}.*` });

async function counters(): Promise<Record<string, number>> {
  const { rows } = await fixture.postgres.query<{ state: string; count: number }>(
    'select state, count from job_counts',
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

async function logLines(): Promise<number> {
  const { rows } = await fixture.postgres.query<{ count: number }>('select count(*) as count from job_logs');
  return rows[0]?.count ?? -1;
}

const line = { timestamp: new Date().toISOString(), level: 'info' as const, message: 'hello' };

describe('stale rows', () => {
  it('of which the stream begins later go, with their log lines and their part of the counts', async () => {
    const old = newJob();
    const long = newJob();
    const young = newJob();
    await fixture.publish(long, 'created');
    await fixture.publish(old, 'created');
    await fixture.publish(old, 'logged', { logs: [line, line] });
    await fixture.publish(old, 'completed', { state: 'completed' });
    await fixture.publish(long, 'logged', { logs: [line] });
    await fixture.publish(young, 'created');
    await fixture.project();
    expect(await counters()).toEqual({ completed: 1, pending: 2 });
    // As an age limit would: everything before the log line of the long job is gone.
    await fixture.stream.jsm.streams.purge('JOBS', { seq: 5 });

    // The audit begins behind all rows here, so that what goes was found by its sequence.
    const { counts } = await fixture.pass(removeStaleRows(fixture.ports()), { auditedUpTo: '~' });

    expect(counts).toEqual({ removed: 1, audited: 0 });
    expect(await fixture.rowIds()).toEqual([long.id, young.id].sort());
    expect(await counters()).toEqual({ completed: 0, pending: 2 });
    expect(await logLines()).toBe(1);
  });

  it('of purged subjects are found by an audit that goes round in pages', async () => {
    const jobs = Array.from({ length: 10 }, () => newJob()).sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const job of jobs) await fixture.publish(job, 'created');
    await fixture.project();
    const [first, , third, , , , , , ninth] = jobs;
    for (const job of [third, ninth]) await purge(job?.id ?? '');
    const duty = removeStaleRows(fixture.ports({ janitorPageSize: 4 }));

    const audited: unknown[] = [];
    let state: unknown = {};
    for (let pass = 0; pass < 4; pass++) {
      const result = await fixture.pass(duty, state);
      audited.push([result.counts.audited, result.counts.removed]);
      state = result.state;
    }

    expect(audited).toEqual([
      [4, 1],
      [4, 0],
      [2, 1],
      [4, 0],
    ]);
    const left = await fixture.rowIds();
    expect(left).toHaveLength(8);
    expect(left).toContain(first?.id);
  });

  it('stay while one message of the job is left', async () => {
    const job = newJob();
    await fixture.publish(job, 'created');
    await fixture.publish(job, 'completed', { state: 'completed' });
    await fixture.project();
    // After the end: ignored by the projection, yet it is there.
    await fixture.publish(job, 'logged', { logs: [line] });
    await fixture.project();
    await fixture.stream.jsm.streams.purge('JOBS', { seq: 3 });
    expect((await fixture.pass(removeStaleRows(fixture.ports()))).counts).toMatchObject({ removed: 0 });
    expect(await fixture.rowIds()).toEqual([job.id]);
  });

  it('stay when the job began anew while it was looked at', async () => {
    const job = newJob();
    await fixture.publish(job, 'created');
    await fixture.project();
    await purge(job.id);
    const remove = fixture.rows.remove.bind(fixture.rows);
    vi.spyOn(fixture.rows, 'remove').mockImplementation(async (rows, created) => {
      await fixture.publish(job, 'started', { tries: 1 });
      await fixture.project();
      return remove(rows, created);
    });
    expect((await fixture.pass(removeStaleRows(fixture.ports()))).counts).toMatchObject({ removed: 0 });
    expect(await fixture.rowIds()).toEqual([job.id]);
    expect(await counters()).toMatchObject({ active: 1 });
  });

  it('are not looked for while the projection is of another stream, or of a later copy of it', async () => {
    const job = newJob();
    await fixture.publish(job, 'created');
    await fixture.project();
    await purge(job.id);
    const duty = removeStaleRows(fixture.ports());

    await fixture.postgres.query(`update pipelines set stream_created = stream_created - interval '1 hour'`);
    expect((await fixture.pass(duty)).counts).toEqual({ notOfThisStream: 1 });
    await fixture.postgres.query(
      `update pipelines set stream_created = stream_created + interval '1 hour', position = position + 100`,
    );
    expect((await fixture.pass(duty)).counts).toEqual({ notOfThisStream: 1 });
    expect(await fixture.rowIds()).toEqual([job.id]);

    await fixture.postgres.query('update pipelines set position = position - 100');
    expect((await fixture.pass(duty)).counts).toMatchObject({ removed: 1 });
  });

  it('are removed once by two replicas: the counts stay right', async () => {
    const jobs = Array.from({ length: 40 }, () => newJob());
    for (const job of jobs) await fixture.publish(job, 'created');
    await fixture.project();
    await fixture.stream.jsm.streams.purge('JOBS', { keep: 4 });
    const duty = removeStaleRows(fixture.ports({ janitorPageSize: 9 }));
    const passes = await Promise.all([fixture.pass(duty), fixture.pass(duty), fixture.pass(duty)]);
    expect(passes.reduce((sum, { counts }) => sum + (counts.removed ?? 0), 0)).toBe(36);
    expect(await counters()).toEqual({ pending: 4 });

    fixture.replica('janitor-a', (ports) => [removeStaleRows(ports)]);
    fixture.replica('janitor-b', (ports) => [removeStaleRows(ports)]);
    for (const job of jobs.slice(-4, -2)) await purge(job.id);
    await waitFor(async () => (await fixture.rowIds()).length === 2, { what: 'the rows to go' });
    expect(await counters()).toEqual({ pending: 2 });
  });
});
