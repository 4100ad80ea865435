import { type RecordedTelemetry, recordTelemetry } from '@trellis/test-support';
import { describe, expect, it } from 'vitest';
import { startTestProjection } from '../testing/projection-fixture.ts';
import { event } from '../testing/sample-event.ts';
import { observePipeline } from './pipeline-progress.ts';

const current = { pipeline: 'current' };

/** What the metrics say; 0 for what was never counted, undefined for gauges that nobody observes. */
const readerOf = (recorded: RecordedTelemetry) => ({
  gauge: (name: string) => recorded.metric(`trellis.projector.${name}`, current),
  count: (name: string, labels: Record<string, string> = {}) =>
    recorded.metric(`trellis.projector.${name}`, { ...current, ...labels }),
  applied: async (event_type: string) => (await recorded.metric('trellis.job.events', { event_type })) ?? 0,
});

describe('the metrics of a pipeline', () => {
  it('say how far it is behind while it does not work, although it was never told', async () => {
    await using recorded = recordTelemetry();
    const { gauge } = readerOf(recorded);
    await using projection = await startTestProjection();
    const progress = observePipeline('current', projection.stream);
    expect(await gauge('owner')).toBe(0);
    expect(await gauge('lag.events')).toBeUndefined();
    await projection.publishEvents(event('a', 'created'), event('a', 'started'), event('a', 'completed'));
    // As it stands when the store takes nothing any more.
    progress.position = 1;
    expect(await gauge('owner')).toBe(1);
    expect(await gauge('lag.events')).toBe(2);
    expect(await gauge('lag.time')).toBeGreaterThan(0);
    progress.position = 3;
    expect(await gauge('lag.events')).toBe(0);
    expect(await gauge('lag.time')).toBe(0);
  });

  it('follow it, and are gone when another process works it', async () => {
    await using recorded = recordTelemetry();
    const { gauge } = readerOf(recorded);
    await using projection = await startTestProjection();
    const progress = observePipeline('current', projection.stream);
    const pipeline = projection.start({ progress });
    const [, last] = await projection.publishEvents(event('a', 'created'), event('a', 'started'));
    await expect.poll(() => gauge('position')).toBe(last);
    await pipeline.stop();
    expect(await gauge('owner')).toBe(0);
    expect(await gauge('position')).toBeUndefined();
  });

  it('count what events did: what changed a job by type, what did not by reason, what cannot be read by code', async () => {
    await using recorded = recordTelemetry();
    const { count, applied } = readerOf(recorded);
    await using projection = await startTestProjection();
    observePipeline('current', projection.stream);
    projection.start();
    await expect.poll(() => count('rebuilds')).toBe(1);
    await projection.publishEvents(
      event('a', 'created'),
      event('a', 'started'),
      event('a', 'completed'),
      event('a', 'failed'),
    );
    await projection.publish('trellis.jobs.orders.charge.b.created', '{');
    await expect.poll(() => count('quarantined', { code: 'not-json' })).toBe(1);
    expect(await count('quarantined', { code: 'bad-subject' })).toBe(0);
    expect(await applied('created')).toBe(1);
    expect(await applied('completed')).toBe(1);
    expect(await applied('failed')).toBe(0);
    expect(await count('ignored', { reason: 'already-ended' })).toBe(1);
  });

  it('do not count once more what a rebuild projects again', async () => {
    await using recorded = recordTelemetry();
    const { count, applied } = readerOf(recorded);
    await using projection = await startTestProjection();
    const first = projection.start();
    await expect.poll(() => count('rebuilds')).toBe(1);
    await projection.publishEvents(event('a', 'created'), event('b', 'created'));
    await expect.poll(() => applied('created')).toBe(2);
    await first.stop();
    await projection.postgres.query('truncate jobs, job_counts, pipelines');
    projection.start();
    await expect.poll(() => count('rebuilds')).toBe(2);
    await projection.publishEvents(event('c', 'created'));
    await projection.caughtUp();
    await expect.poll(() => applied('created')).toBe(3);
    expect(await projection.rows('select id from jobs')).toHaveLength(3);
  });
});
