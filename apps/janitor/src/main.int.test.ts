import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Kvm } from '@nats-io/kv';
import { nanos } from '@nats-io/transport-node';
import { PIPELINE_RECORD_KEY } from '@trellis/contracts';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { historyRecord } from './testing/history-record.ts';
import { type JanitorFixture, newJob, startFixture } from './testing/janitor-fixture.ts';

let fixture: JanitorFixture;
let children: ChildProcess[];
beforeEach(async () => {
  fixture = await startFixture();
  children = [];
});
afterEach(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await fixture[Symbol.asyncDispose]();
});

/** The janitor as its own process, as it is run for real; ready when this resolves. */
async function startJanitor(env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname], {
    env: { PATH: process.env.PATH, HEALTH_PORT: '0', HEALTH_HOST: '127.0.0.1', NATS_URL: fixture.nats.url, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const port = Promise.withResolvers<number>();
  child.once('exit', (code) => port.reject(new Error(`the janitor ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as { port?: number };
    if (entry.port !== undefined) port.resolve(entry.port);
  });
  const ready = `http://127.0.0.1:${await port.promise}/ready`;
  await waitFor(async () => (await fetch(ready)).ok, { what: 'the janitor to be ready', timeoutMs: 20_000 });
  return child;
}

const DUTIES = ['advisories', 'deadlines', 'key-places', 'lost-jobs', 'retention', 'stale-rows', 'stranded-work'];

describe('the janitor as a process', () => {
  it('works every duty, beside a second one that is killed, without a second event, and stops when told to', async () => {
    const env = { DATABASE_URL: fixture.url, JANITOR_INTERVAL_MS: '50', JANITOR_LEASE_MS: '1000' };
    const [kept, killed] = await Promise.all([startJanitor(env), startJanitor(env)]);
    const overdue = { deadline: new Date(Date.now() - 1_000).toISOString() };
    const jobs = Array.from({ length: 40 }, () => newJob());
    for (const [index, job] of jobs.entries()) {
      await fixture.publish(job, 'created', overdue);
      if (index % 10 === 9) await fixture.project();
      if (index === 19) killed.kill('SIGKILL');
    }
    await waitFor(
      async () => {
        const lists = await Promise.all(jobs.map((job) => fixture.eventsOf(job)));
        return lists.every((events) => events.includes('expired'));
      },
      { what: 'all jobs to be expired', timeoutMs: 20_000 },
    );
    await fixture.project();
    await waitFor(
      async () => {
        const passes = await Promise.all(DUTIES.map((duty) => fixture.recorded(duty)));
        return passes.every((pass) => pass?.finished_at);
      },
      { what: 'a pass of every duty', timeoutMs: 20_000 },
    );
    const events = await Promise.all(jobs.map((job) => fixture.eventsOf(job)));
    expect(new Set(events.map((list) => list.join()))).toEqual(new Set(['created,expired']));
    for (const duty of DUTIES) expect(await fixture.recorded(duty)).toMatchObject({ error: null });

    const ended = once(kept, 'exit');
    kept.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('two of them, at the intervals that an operator sets, expire deadlines, remove what is stale or purged, and keep no longer than told, each once', async () => {
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const publishMany = async (count: number, fields: { timestamp?: string; deadline?: string } = {}) => {
      const jobs = Array.from({ length: count }, () => newJob());
      for (const job of jobs) await fixture.publish(job, 'created', fields);
      return jobs;
    };
    const aged = await publishMany(15);
    const overdue = await publishMany(25, { deadline: hoursAgo(1) });
    const purged = await publishMany(15);
    const kept = await publishMany(5);
    const done = await publishMany(25, { timestamp: hoursAgo(3) });
    for (const job of done) await fixture.publish(job, 'completed', { state: 'completed', timestamp: hoursAgo(2) });
    await fixture.project();
    const { created: streamCreated, lastSequence: position } = await fixture.stream.info();
    const pipelines = await new Kvm(fixture.nc).create('JOBS_PIPELINES');
    await pipelines.put(PIPELINE_RECORD_KEY, historyRecord({ position, streamCreated }));
    const { streams } = fixture.stream.jsm;
    await streams.purge('JOBS', { seq: aged.length + 1 });
    for (const { id } of purged) await streams.purge('JOBS', { filter: `trellis.jobs.*.*.${id}.*` });

    const intervals = { deadlines: 40, 'stale-rows': 50, retention: 60 };
    const env = {
      DATABASE_URL: fixture.url,
      JANITOR_INTERVAL_MS: '3600000',
      JANITOR_DUTY_INTERVALS_MS: JSON.stringify(intervals),
      JANITOR_PAGE_SIZE: '7',
      JANITOR_RETENTION: '{"completed": "1h"}',
    };
    await Promise.all([startJanitor(env), startJanitor(env)]);
    // A janitor that starts makes sure of the real one, which is minutes long.
    await streams.update('JOBS', { duplicate_window: nanos(100) });

    const left = [...overdue, ...kept].map(({ id }) => id).sort();
    await waitFor(async () => (await fixture.rowIds()).join() === left.join(), {
      what: 'the rows of what is gone to go',
      timeoutMs: 20_000,
    });
    await fixture.project();
    for (const duty of Object.keys(intervals)) {
      const { passes = 0 } = (await fixture.recorded(duty)) ?? {};
      await waitFor(async () => ((await fixture.recorded(duty))?.passes ?? 0) >= passes + 5, { what: `more ${duty}` });
      expect(await fixture.recorded(duty)).toMatchObject({ error: null, problems: [] });
    }
    expect(await fixture.recorded('advisories')).toMatchObject({ passes: 1 });
    for (const job of overdue) expect(await fixture.eventsOf(job)).toEqual(['created', 'expired']);
    expect((await fixture.stream.info()).messages).toBe(2 * overdue.length + kept.length);
    const { rows } = await fixture.postgres.query('select state, count from job_counts where count <> 0 order by 1');
    expect(rows).toEqual([
      { state: 'expired', count: overdue.length },
      { state: 'pending', count: kept.length },
    ]);
  });

  it('refuses a configuration that it does not understand, and says why', async () => {
    const child = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname], {
      env: { PATH: process.env.PATH, JANITOR_RETENTION: '{"finished": "7d"}', JANITOR_PAGE_SIZE: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(child);
    let output = '';
    child.stderr.on('data', (chunk) => {
      output += String(chunk);
    });
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(output).toContain('JANITOR_PAGE_SIZE');
    expect(output).toContain('JANITOR_RETENTION: "finished" is no state; expected completed');
  });
});
