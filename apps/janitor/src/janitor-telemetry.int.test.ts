import { SpanStatusCode } from '@opentelemetry/api';
import { recordTelemetry } from '@trellis/test-support';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { expireDeadlines } from './duties/expire-deadlines.ts';
import { recordPass } from './janitor-telemetry.ts';
import { type JanitorFixture, newJob, startFixture } from './testing/janitor-fixture.ts';

const recorded = recordTelemetry();
let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
  recorded.reset();
});
afterEach(() => fixture[Symbol.asyncDispose]());
afterAll(() => recorded[Symbol.asyncDispose]());

test('a pass is a trace of its own; each job that it acts on is a span below it, linked to the job’s creation', async () => {
  const jobs = [newJob(), newJob()];
  for (const job of jobs)
    await fixture.publish(job, 'created', { deadline: new Date(Date.now() - 1_000).toISOString() });
  await fixture.publish(newJob(), 'created');
  await fixture.project();
  fixture.replica('janitor-1', (ports) => [expireDeadlines(ports)]);

  const actingPass = () => recorded.spans().find(({ attributes }) => attributes['trellis.janitor.actions.expired']);
  await expect.poll(() => actingPass()?.name).toBe('janitor deadlines');
  const pass = actingPass();
  expect(pass?.parentSpanContext).toBeUndefined();
  expect(pass?.attributes).toMatchObject({ 'trellis.janitor.duty': 'deadlines', 'trellis.janitor.actions.expired': 2 });
  const acted = recorded.spans().filter(({ name }) => name === 'expire trellis.work.orders-service.reserve-inventory');
  expect(acted.map(({ attributes }) => attributes['trellis.job.id']).sort()).toEqual(jobs.map(({ id }) => id).sort());
  for (const span of acted) {
    expect(span.parentSpanContext?.spanId).toBe(pass?.spanContext().spanId);
    const { job } = await fixture.stream.readJob(String(span.attributes['trellis.job.id']));
    expect(span.links).toMatchObject([{ attributes: { 'trellis.link': 'job' } }]);
    expect(job?.context.traceparent).toContain(span.links[0]?.context.spanId);
  }
});

test('passes and what they did are counted; a pass that failed is counted as such, and its span is an error', async () => {
  const passes = async (outcome: string) =>
    Number((await recorded.metric('trellis.janitor.passes', { duty: 'retention', outcome })) ?? 0);
  const [done, failed] = [await passes('done'), await passes('failed')];
  await recordPass('retention', async () => ({ counts: { purged: 3, removed: 0 } }));
  const failing = recordPass('retention', () => Promise.reject(new TypeError('no stream')));
  await expect(failing).rejects.toThrow('no stream');
  expect([await passes('done'), await passes('failed')]).toEqual([done + 1, failed + 1]);
  const action = (name: string) => recorded.metric('trellis.janitor.actions', { duty: 'retention', action: name });
  expect(await action('purged')).toBe(3);
  expect(await action('removed')).toBe(0);
  expect(recorded.spans().at(-1)).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': 'TypeError' },
  });
});
