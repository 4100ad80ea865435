import { cpSync, rmSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provision } from '@trellis/nats';
import { waitFor } from '@trellis/test-support';
import { describe, expect, it } from 'vitest';
import { startTestProjection, type TestProjection } from '../testing/projection-fixture.ts';
import { event } from '../testing/sample-event.ts';

async function runToTheEnd(projection: TestProjection) {
  const pipeline = projection.start();
  await waitFor(() => pipeline.counters.starts > 0, { what: 'the pipeline to find its start' });
  await projection.caughtUp();
  await pipeline.stop();
  return pipeline.counters;
}

const stateOf = async (projection: TestProjection) => ({
  jobs: await projection.rows('select * from jobs order by id'),
  logs: await projection.rows('select * from job_logs order by 1, 2, 3'),
  counts: await projection.rows('select * from job_counts where count <> 0 order by 1, 2, 3'),
  errors: await projection.rows('select * from job_errors order by 1'),
});

/** A stream with jobs, log lines and something malformed, and its projection. */
async function projected() {
  const projection = await startTestProjection();
  const logs = [{ timestamp: '2026-03-01T00:00:00.000Z', level: 'info' as const, message: 'line' }];
  await projection.publishEvents(
    event('J1', 'created'),
    event('J1', 'started', { tries: 1 }),
    event('J1', 'logged', { logs }),
  );
  await projection.publish('trellis.jobs.orders-service.charge.J1.completed', 'not json');
  await projection.publishEvents(event('J2', 'created'), event('J2', 'failed', { error: 'x' }));
  const counters = await runToTheEnd(projection);
  expect(counters).toMatchObject({ rebuilds: 1, events: 6 });
  return projection;
}

describe('the projection', () => {
  it('goes on at its position after a restart, and reads nothing twice', async () => {
    await using projection = await projected();
    await projection.publishEvents(event('J3', 'created'));
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 0, events: 1 });
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 0, events: 0 });
  });

  it('is built from the start when Postgres was emptied, and comes to the same', async () => {
    await using projection = await projected();
    const before = await stateOf(projection);
    await projection.postgres.query('truncate jobs, job_logs, job_counts, job_errors, pipelines, quarantine');
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 1, events: 6, quarantined: { 'not-json': 1 } });
    expect(await stateOf(projection)).toEqual(before);
  });

  it('is built from the start when only the jobs were emptied; the quarantine has every message once', async () => {
    await using projection = await projected();
    const before = await stateOf(projection);
    await projection.postgres.query('truncate jobs');
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 1, events: 6 });
    expect(await stateOf(projection)).toEqual(before);
    expect(await projection.rows('select sequence, code from quarantine')).toEqual([{ sequence: 4, code: 'not-json' }]);
  });

  it('is built from the start of a stream that was made anew, also under a running pipeline', async () => {
    await using projection = await projected();
    const pipeline = projection.start();
    await projection.publishEvents(event('J3', 'created'));
    await projection.caughtUp();
    await projection.stream.jsm.streams.delete('JOBS');
    await pipeline.done;
    await provision(projection.stream.nc);
    await projection.publishEvents(event('N1', 'created'), event('N1', 'cancelled'));
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 1, events: 2 });
    expect(await projection.rows('select id, state from jobs')).toEqual([{ id: 'N1', state: 'cancelled' }]);
    // The quarantine of the former stream is kept beside that of the new one.
    await projection.publish('trellis.jobs.s.t.N1.started', 'broken');
    await runToTheEnd(projection);
    expect(await projection.rows('select sequence, code from quarantine order by 1')).toEqual([
      { sequence: 3, code: 'not-json' },
      { sequence: 4, code: 'not-json' },
    ]);
  });

  it.each([
    ['shorter than the position', 0],
    ['grown beyond the position since', 6],
  ])('is built from the start of a stream that was restored from an older copy, %s', async (_how, grown) => {
    await using projection = await startTestProjection();
    const { nats } = projection;
    const store = join(nats.server.storeDir, 'jetstream');
    await using copy = await mkdtempDisposable(join(tmpdir(), 'restored-'));
    await projection.publishEvents(event('J1', 'created'), event('J1', 'started', { tries: 1 }));
    const { created } = await projection.stream.info();
    await nats.kill();
    cpSync(store, copy.path, { recursive: true });
    await nats.restart();
    await projection.publishEvents(event('J2', 'created'), event('J1', 'completed', { result: 1 }));
    await runToTheEnd(projection);

    await nats.kill();
    rmSync(store, { recursive: true });
    cpSync(copy.path, store, { recursive: true });
    await nats.restart();
    for (let index = 0; index < grown; index++) await projection.publishEvents(event(`N${index}`, 'created'));
    expect((await projection.stream.info()).created).toBe(created);
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 1, events: 2 + grown });
    expect(await projection.job('J1')).toMatchObject({ state: 'active' });
    expect(await projection.job('J2')).toBeUndefined();
  });

  it('that is built anew takes out of quarantine what it projects this time', async () => {
    await using projection = await projected();
    const { streamCreated } = await streamOf(projection);
    // As if sequence 5 had been unreadable to a former version, and 4 to both.
    await projection.postgres.query(
      `insert into quarantine (stream_created, sequence, stored_at, subject, code, reason, body)
       values ($1, 5, now(), 'trellis.jobs.orders-service.charge.J2.created', 'unknown-event', 'old', ''),
              ($1, 9, now(), 'trellis.jobs.orders-service.charge.J2.created', 'unknown-event', 'gone with the restored copy', '')`,
      [streamCreated],
    );
    await projection.postgres.query('truncate jobs');
    await runToTheEnd(projection);
    expect(await projection.rows('select sequence from quarantine order by 1')).toEqual([
      { sequence: 4 },
      { sequence: 9 },
    ]);
  });

  it('keeps rows whose first events are gone from the stream', async () => {
    await using projection = await projected();
    await projection.stream.jsm.streams.purge('JOBS', { seq: 3 });
    await projection.publishEvents(event('J1', 'completed', { result: 1 }));
    expect(await runToTheEnd(projection)).toMatchObject({ rebuilds: 0 });
    expect(await projection.job('J1')).toMatchObject({
      state: 'completed',
      payload: { order: 'J1' },
      headMissing: false,
    });
  });
});

describe('the quarantine', () => {
  /** Puts the last `completed` of J1 into quarantine as a former version would have done that did not know it. */
  async function withUnknownEvent(projection: TestProjection) {
    const body = event('J1', 'completed', { result: { ok: true } });
    const subject = 'trellis.jobs.orders-service.charge.J1.completed';
    const sequence = await projection.publish(subject, body);
    const { streamCreated } = await streamOf(projection);
    await projection.postgres.query(
      `insert into quarantine (stream_created, sequence, stored_at, subject, code, reason, body)
       values ($1, $2, now(), $3, 'unknown-event', 'unknown event', $4)`,
      [streamCreated, sequence, subject, Buffer.from(JSON.stringify(body))],
    );
    await projection.postgres.query('update pipelines set position = $1, position_stored_at = null', [sequence]);
  }

  it('gives back what this version can read: the whole job is folded again', async () => {
    await using projection = await projected();
    await withUnknownEvent(projection);
    expect(await runToTheEnd(projection)).toMatchObject({ released: 1 });
    expect(await projection.job('J1')).toMatchObject({
      state: 'completed',
      result: { ok: true },
      logs: [{ message: 'line' }],
      payload: { order: 'J1' },
    });
    expect(await projection.rows('select sequence from quarantine')).toEqual([{ sequence: 4 }]);
    expect(await projection.rows('select state, count from job_counts where count <> 0 order by 1')).toEqual([
      { state: 'completed', count: 1 },
      { state: 'failed', count: 1 },
    ]);
    expect(await runToTheEnd(projection)).toMatchObject({ released: 0 });
  });

  it('keeps what can be read of a job whose first events are gone', async () => {
    await using projection = await projected();
    await withUnknownEvent(projection);
    await projection.stream.jsm.streams.purge('JOBS', { seq: 2 });
    expect(await runToTheEnd(projection)).toMatchObject({ released: 0, rebuilds: 0 });
    expect(await projection.job('J1')).toMatchObject({ state: 'active', payload: { order: 'J1' } });
    expect(await projection.rows('select sequence from quarantine order by 1')).toEqual([
      { sequence: 4 },
      { sequence: 7 },
    ]);
  });
});

async function streamOf(projection: TestProjection) {
  const [row] = await projection.rows<{ stream_created: string }>('select stream_created from pipelines');
  return { streamCreated: row?.stream_created };
}
