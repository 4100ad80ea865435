import { jetstreamManager } from '@nats-io/jetstream';
import { startTestNats } from '@trellis/test-support';
import { expect, it } from 'vitest';
import { JobStream } from './job-stream.ts';
import { provision, TopologyMismatch } from './provision.ts';

const actions = (done: Awaited<ReturnType<typeof provision>>) => done.map(({ action }) => action);

it('makes what is missing, and a second time nothing', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  expect(actions(await provision(nc))).toEqual(['created', 'created', 'created', 'created']);
  expect(actions(await provision(nc))).toEqual(['unchanged', 'unchanged', 'unchanged', 'unchanged']);
});

it('many processes may provision at once', async () => {
  await using nats = await startTestNats();
  const connections = await Promise.all(Array.from({ length: 8 }, () => nats.connect()));
  await Promise.all(connections.map((nc) => provision(nc)));
  const jsm = await jetstreamManager(connections[0] ?? (await nats.connect()));
  expect((await jsm.streams.list().next()).map(({ config }) => config.name).sort()).toEqual([
    'JOBS',
    'JOBS_ADVISORIES',
    'JOBS_PRESENCE',
    'JOBS_WORK',
  ]);
});

it('a lost transform is an error that shows the difference, and nothing is changed', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  const jsm = await jetstreamManager(nc);
  const { config } = await jsm.streams.info('JOBS_WORK');
  const sources = config.sources?.map((source) => ({
    ...source,
    subject_transforms: source.subject_transforms?.slice(0, 1) ?? [],
  }));
  await jsm.streams.update('JOBS_WORK', { sources: sources ?? [] });
  const failure = await provision(nc).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(TopologyMismatch);
  expect(String(failure)).toContain('JOBS_WORK');
  expect(String(failure)).toContain('retried');
});

it('a duplicate window on the work stream is refused: it would drop sourced messages', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.update('JOBS_WORK', { duplicate_window: 120_000_000_000 });
  await expect(provision(nc)).rejects.toThrow('duplicate_window');
});

it('stream names are configuration', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  const names = { jobs: 'X', work: 'X_WORK', advisories: 'X_ADVISORIES', presence: 'X_PRESENCE' };
  await provision(nc, { names });
  const stream = await JobStream.open(nc, { names });
  expect((await stream.info()).messages).toBe(0);
});

it('a JOBS stream that stores heartbeats is reported, and moved only when asked to', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: 'JOBS', subjects: ['trellis.jobs.>'], allow_direct: true });
  await (await JobStream.open(nc)).js.publish('trellis.jobs.workers.a.b.i1.heartbeat', '{}');

  const reported = await provision(nc);
  expect(reported[0]).toMatchObject({
    stream: 'JOBS',
    action: 'unchanged',
    note: expect.stringContaining('--migrate'),
  });
  expect(reported.find(({ stream }) => stream === 'JOBS_PRESENCE')?.action).toBe('skipped');
  expect((await jsm.streams.info('JOBS')).config.subjects).toEqual(['trellis.jobs.>']);

  expect((await provision(nc, { migrate: true }))[0]).toMatchObject({ action: 'migrated' });
  const { config, state } = await jsm.streams.info('JOBS');
  expect(config.subjects).toEqual(['trellis.jobs.*.*.*.*']);
  expect(state.messages).toBe(0);
  expect(actions(await provision(nc))).toEqual(['unchanged', 'unchanged', 'unchanged', 'unchanged']);
});
