import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgresServer } from '@trellis/devstack';
import { toWireJob } from '@trellis/lifecycle';
import { readEventVectors, vectorBody } from '@trellis/lifecycle/event-vectors';
import { waitFor } from '@trellis/test-support';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPipeline, startTestProjection, type TestProjection } from '../testing/projection-fixture.ts';
import { event, subjectOf } from '../testing/sample-event.ts';

/** What the tables say of each state must be what the counters say. */
async function expectTrueCounts(projection: TestProjection) {
  const counted = await projection.rows(
    'select service, type, state, count from job_counts where count <> 0 order by 1, 2, 3',
  );
  const real = await projection.rows(
    'select service, type, state, count(*) from jobs group by 1, 2, 3 order by 1, 2, 3',
  );
  expect(counted).toEqual(real);
}

describe('event vectors through the real Postgres', () => {
  let projection: TestProjection;
  beforeAll(async () => {
    projection = await startTestProjection();
    projection.start();
  });
  afterAll(() => projection[Symbol.asyncDispose]());

  it.each(readEventVectors())('$file: $name', async ({ file, events, expect: expected }) => {
    // Each vector has its own ids in the one stream.
    const own = (id: string) => `${file.slice(0, -5)}-${id}`;
    const ownSubject = (subject: string) =>
      subject.replace(/^(trellis\.jobs\.[^.]+\.[^.]+\.)([^.]+\.[^.]+)$/, `$1${own('')}$2`);
    const ownBody = (body: string) => body.replace(/"jobId":"/, `"jobId":"${own('')}`);
    const places = new Map<number, number>();
    for (const [index, message] of events.entries()) {
      if ('purge' in message) {
        await projection.caughtUp();
        await projection.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${own(message.purge)}.*` });
      } else {
        const body = ownBody(new TextDecoder().decode(vectorBody(message)));
        const sequence = await projection.publish(ownSubject(message.subject), body);
        // Heartbeats go to another stream, which counts for itself.
        if (message.subject.split('.').length === 6) places.set(sequence, index + 1);
      }
    }
    await projection.caughtUp();
    const jobs: Record<string, unknown> = {};
    for (const id of Object.keys(expected.jobs)) {
      const job = await projection.job(own(id));
      if (job) jobs[id] = { ...toWireJob(job), id };
    }
    expect(jobs).toEqual(expected.jobs);
    const quarantined = await projection.rows<{ sequence: number; code: string }>(
      'select sequence, code from quarantine where sequence = any ($1) order by sequence',
      [[...places.keys()]],
    );
    expect(quarantined.map(({ sequence, code }) => ({ event: places.get(sequence), code }))).toEqual(
      expected.quarantined,
    );
  });

  it('all together the counts are those of the table', () => expectTrueCounts(projection));
});

describe('any stream through the real Postgres', () => {
  it('equals the fold of the stream, in batches of any size', async () => {
    await using projection = await startTestProjection();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(anyEvents, fc.integer({ min: 1, max: 30 }), async (events, maxMessages) => {
        const run = `R${++runs}-`;
        const pipeline = projection.start({ maxMessages });
        for (const each of events) {
          const own = { ...each, jobId: `${run}${each.jobId}` };
          await projection.publish(subjectOf(own), own);
        }
        await projection.caughtUp();
        await pipeline.stop();
        for (const id of JOB_IDS) {
          const { job } = await projection.stream.readJob(`${run}${id}`);
          expect(await projection.job(`${run}${id}`)).toEqual(job);
        }
        await expectTrueCounts(projection);
      }),
      { numRuns: 25 },
    );
  });

  it('changes nothing when every event comes a second time', async () => {
    await using projection = await startTestProjection();
    const events = fc
      .sample(anyEvents, 20)
      .flatMap((each, index) => each.map((one) => ({ ...one, jobId: `S${index}-${one.jobId}` })));
    await projection.publishEvents(...events);
    const first = projection.start();
    await projection.caughtUp();
    await first.stop();
    const before = await projection.rows('select * from jobs order by id');
    const lines = await projection.rows('select * from job_logs order by 1, 2, 3');
    const quarantined = await projection.rows('select sequence, code from quarantine order by 1');
    await projection.postgres.query('update pipelines set position = 0, position_stored_at = null');
    const second = projection.start();
    await projection.caughtUp();
    await second.stop();
    expect(second.counters).toMatchObject({ events: events.length, changes: 0, rebuilds: 0 });
    expect(await projection.rows('select * from jobs order by id')).toEqual(before);
    expect(await projection.rows('select * from job_logs order by 1, 2, 3')).toEqual(lines);
    expect(await projection.rows('select sequence, code from quarantine order by 1')).toEqual(quarantined);
  });
});

describe('poison', () => {
  it('is isolated to its event; the rest of the batch is projected', async () => {
    await using projection = await startTestProjection();
    const good = Array.from({ length: 60 }, (_, index) => event(`G${index}`, 'created'));
    const text = (body: unknown, raw: string) => JSON.stringify(body).replace('"#"', raw);
    await projection.publishEvents(...good.slice(0, 30), event('P1', 'created'));
    const refused = [
      // Only the store finds these: an index row that is too large, a number that grows out of its column.
      event('P1', 'heartbeat', { concurrency: { key: randomText(20_000), keyHash: 'a' } }),
      event('P2', 'created', { concurrency: { key: randomText(20_000), keyHash: 'b' } }),
      event('P3', 'created', { service: `s${randomText(3_000)}` }),
    ];
    for (const each of refused) await projection.publish(subjectOf(each), each);
    const full = event('P4', 'started', { tries: 2_147_483_647 });
    const overflow = event('P4', 'started', { tries: 1 });
    await projection.publishEvents(event('P4', 'created'), full);
    const overflowAt = await projection.publish(subjectOf(overflow), overflow);
    const completed = (raw: string) => text(event('P1', 'completed', { result: '#' }), raw);
    for (const raw of ['"\\u0000"', '"\\ud800"', '1e999', '['.repeat(1_100) + ']'.repeat(1_100)]) {
      await projection.publish('trellis.jobs.orders-service.charge.P1.completed', completed(raw));
    }
    const date = { ...event('P5', 'created'), timestamp: '+99999-01-01T00:00:00Z' };
    await projection.publish(subjectOf(date), date);
    await projection.publishEvents(...good.slice(30), event('P1', 'started', { tries: 1 }));
    const pipeline = projection.start();
    await projection.caughtUp();

    const rows = await projection.rows<{ code: string; store_code: string | null }>(
      'select sequence, code, store_code from quarantine order by sequence',
    );
    expect(rows.map(({ code, store_code }) => `${code} ${store_code ?? '-'}`)).toEqual([
      'store-refused 54000',
      'store-refused 54000',
      'store-refused 54000',
      'store-refused 22003',
      'unstorable 22P05',
      'unstorable 22P02',
      'unstorable 22003',
      'unstorable 54001',
      'bad-field -',
    ]);
    expect(rows[3]).toMatchObject({ sequence: overflowAt });
    expect(await projection.rows(`select count(*) from jobs where id like 'G%'`)).toEqual([{ count: 60 }]);
    expect(await projection.job('P1')).toMatchObject({ state: 'active', tries: 1, concurrency: undefined });
    expect(await projection.job('P4')).toMatchObject({ state: 'active', tries: 2_147_483_647 });
    expect(await projection.job('P2')).toBeUndefined();
    await expectTrueCounts(projection);
    expect(pipeline.counters.quarantined).toEqual({ 'store-refused': 4, unstorable: 4, 'bad-field': 1 });
  });

  it('in one batch does not spoil what the next one is folded onto', async () => {
    await using projection = await startTestProjection();
    const poison = event('P1', 'heartbeat', { concurrency: { key: randomText(20_000), keyHash: 'a' } });
    await projection.publishEvents(event('P1', 'created'));
    await projection.publish(subjectOf(poison), poison);
    await projection.publishEvents(event('P1', 'started', { tries: 1 }), event('P1', 'completed', { result: 1 }));
    projection.start({ maxMessages: 2 });
    await projection.caughtUp();
    expect(await projection.job('P1')).toMatchObject({ state: 'completed', result: 1, concurrency: undefined });
    await expectTrueCounts(projection);
  });
});

describe('disturbances', () => {
  it('sessions that are cut again and again cost nothing and double nothing', async () => {
    await using projection = await startTestProjection();
    const jobs = 150;
    const stopped = new AbortController();
    const running = keepRunning(projection, stopped.signal);
    for (let index = 0; index < jobs; index++) {
      const id = `K${index}`;
      await projection.publishEvents(
        event(id, 'created'),
        event(id, 'started', { tries: 1 }),
        event(id, 'completed', { result: index }),
      );
      if (index % 15 === 7) await cutSessions(projection);
    }
    await projection.caughtUp();
    stopped.abort();
    await running;
    expect(await projection.rows('select state, tries, count(*) from jobs group by 1, 2')).toEqual([
      { state: 'completed', tries: 1, count: jobs },
    ]);
    await expectTrueCounts(projection);
  });

  it('a Postgres that is killed in the middle, again and again, has every event once', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'killed-postgres-'));
    await using server = await startPostgresServer({ folder: folder.path });
    await using projection = await startTestProjection({ databaseUrl: server.url });
    const jobs = 90;
    const stopped = new AbortController();
    const running = keepRunning(projection, stopped.signal, { maxMessages: 10 });
    for (let index = 0; index < jobs; index++) {
      const id = `K${index}`;
      const logs = [{ timestamp: '2026-01-01T00:00:00.000Z', level: 'info' as const, message: id }];
      await projection.publishEvents(
        event(id, 'created'),
        event(id, 'logged', { logs }),
        event(id, 'completed', { result: 1 }),
      );
      if (index % 30 !== 10) continue;
      await server.kill();
      await server.restart();
    }
    await projection.caughtUp();
    stopped.abort();
    await running;
    expect(await projection.rows('select state, count(*) from jobs group by 1')).toEqual([
      { state: 'completed', count: jobs },
    ]);
    expect(await projection.rows('select count(*) from job_logs')).toEqual([{ count: jobs }]);
    await expectTrueCounts(projection);
  });

  it('a row that another process removes while it is folded is read again', async () => {
    await using projection = await startTestProjection();
    const pipeline = projection.start();
    await projection.publishEvents(event('J1', 'created'));
    await projection.caughtUp();
    // As the janitor does for jobs that were purged: the row goes, and its count.
    await projection.postgres.query('delete from jobs');
    await projection.postgres.query('update job_counts set count = 0');
    await projection.publishEvents(event('J1', 'started', { tries: 1 }));
    await expect(pipeline.done).rejects.toThrow('changed by others');
    projection.start();
    await projection.caughtUp();
    expect(await projection.job('J1')).toMatchObject({ state: 'active' });
    await expectTrueCounts(projection);
  });
});

describe('two processes', () => {
  it('one projects, the other takes over when it stops', async () => {
    await using projection = await startTestProjection();
    const first = projection.start({ owner: 'first' });
    await projection.publishEvents(event('J1', 'created'));
    await projection.caughtUp();
    const second = projection.start({ owner: 'second' });
    await projection.publishEvents(event('J1', 'started', { tries: 1 }));
    await projection.caughtUp();
    expect([first.counters.events, second.counters.events]).toEqual([2, 0]);
    await first.stop();
    await projection.publishEvents(event('J1', 'completed', { result: 1 }));
    await projection.caughtUp();
    expect(second.counters.events).toBe(1);
    expect(await projection.job('J1')).toMatchObject({ state: 'completed' });
  });

  it('the other takes over when the first has died without a word', async () => {
    await using projection = await startTestProjection({ leaseMs: 1_000 });
    const { rows } = await projection.postgres.query(
      `insert into pipelines (name, epoch, owner, lease_until, position)
       values ('current', 7, 'dead', clock_timestamp() + interval '300 milliseconds', 0) returning name`,
    );
    expect(rows).toHaveLength(1);
    projection.start({ owner: 'heir' });
    await projection.publishEvents(event('J1', 'created'));
    await projection.caughtUp();
    expect(await projection.rows('select owner, epoch from pipelines')).toEqual([
      { owner: expect.stringMatching(/^heir\//), epoch: 8 },
    ]);
  });

  it('who believe both that the pipeline is theirs write every event once', async () => {
    await using projection = await startTestProjection({ leaseMs: 1_000 });
    const jobs = 120;
    const stopped = new AbortController();
    const both = ['a', 'b'].map((owner) => keepRunning(projection, stopped.signal, { owner, maxMessages: 7 }));
    for (let index = 0; index < jobs; index++) {
      const id = `T${index}`;
      const logs = [{ timestamp: '2026-01-01T00:00:00.000Z', level: 'info' as const, message: id }];
      await projection.publishEvents(
        event(id, 'created'),
        event(id, 'logged', { logs }),
        event(id, 'failed', { error: 'x' }),
      );
      // The lease runs out under its owner, as when the process stands still.
      if (index % 10 === 5) await projection.postgres.query('update pipelines set lease_until = clock_timestamp()');
    }
    await projection.caughtUp();
    stopped.abort();
    await Promise.all(both);
    expect(await projection.rows('select state, count(*) from jobs group by 1')).toEqual([
      { state: 'failed', count: jobs },
    ]);
    expect(await projection.rows('select count(*) from job_logs')).toEqual([{ count: jobs }]);
    await expectTrueCounts(projection);
  });
});

const JOB_IDS = ['A', 'B', 'C'];
const OWNERS = [
  { service: 'orders-service', jobType: 'charge' },
  { service: 'orders-service', jobType: 'charge' },
  { service: 'orders-service', jobType: 'charge' },
  { service: 'billing', jobType: 'charge' },
];
/** Mostly likely events, so that jobs live and do not only end. */
const TYPES = [
  ...([
    'created',
    'created',
    'created',
    'started',
    'started',
    'started',
    'retry',
    'progress',
    'logged',
    'logged',
    'heartbeat',
  ] as const),
  ...([
    'completed',
    'failed',
    'dead',
    'cancelled',
    'expired',
    'skipped',
    'stale',
    'retried',
    'retried',
    'dismissed',
  ] as const),
  ...(['cancelRequested', 'staleCompletionIgnored'] as const),
];
const anyEvents = fc.array(
  fc
    .record({
      jobId: fc.constantFrom(...JOB_IDS),
      eventType: fc.constantFrom(...TYPES),
      owner: fc.constantFrom(...OWNERS),
      tries: fc.nat({ max: 4 }),
      value: fc.constantFrom(null, 0, 'text', [], { deep: [[1], [2, 'é😀']] }),
      handedBack: fc.boolean(),
      rest: fc.record(
        {
          error: fc.constantFrom('boom', ''),
          deadline: fc.constantFrom('2026-03-02T00:00:00.000Z', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'),
          maxTries: fc.integer({ min: 1, max: 9 }),
          instanceId: fc.constantFrom('i1', 'i2'),
          progress: fc.constantFrom({ step: 'x', current: 1 }, {}),
          concurrency: fc.constantFrom(
            { key: 'k', keyHash: 'h' },
            { key: 'k', keyHash: 'h', slotToken: 's', extra: [1] },
          ),
          queuePolicy: fc.constantFrom({ outcome: 'accepted' as const }, { reason: 'r' }),
        },
        { requiredKeys: [] },
      ),
    })
    .map(({ jobId, eventType, owner, tries, value, handedBack, rest }) =>
      event(jobId, eventType, {
        ...owner,
        tries,
        ...rest,
        ...(eventType === 'created' || eventType === 'retried' ? { payload: value } : {}),
        ...(eventType === 'completed' ? { result: value } : {}),
        ...(eventType === 'retry' && handedBack ? { handedBack } : {}),
        ...(eventType === 'logged'
          ? {
              logs: [{ timestamp: '2026-03-01T00:00:00.000Z', level: 'warn' as const, message: JSON.stringify(value) }],
            }
          : {}),
      }),
    ),
  { minLength: 1, maxLength: 40 },
);

/** Runs the pipeline again whenever it ends, as the loop of the process does. */
async function keepRunning(
  projection: TestProjection,
  signal: AbortSignal,
  options: Parameters<TestProjection['start']>[0] = {},
) {
  while (!signal.aborted) {
    const pipeline: RunningPipeline = projection.start(options);
    const stop = () => void pipeline.stop().catch(() => undefined);
    signal.addEventListener('abort', stop);
    await pipeline.done.catch(() => undefined);
    signal.removeEventListener('abort', stop);
  }
}

/** Cuts every session of the database but the one that says it; waits until they are gone. */
async function cutSessions(projection: TestProjection) {
  await waitFor(
    () =>
      projection.postgres.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      ),
    { what: 'a session that can cut the others' },
  );
}

/** Text that does not compress. */
function randomText(length: number): string {
  let state = 12_345;
  return Array.from({ length }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return String.fromCharCode(97 + ((state >> 16) % 26));
  }).join('');
}
