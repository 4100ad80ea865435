import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { recordTelemetry } from '@trellis/test-support';
import { afterEach, expect, test } from 'vitest';
import { MAX_LINKS, type ProjectedBatch, projectBatch } from './project-batch.ts';

const recorded = recordTelemetry();
afterEach(() => recorded.reset());

const traceparent = (index: number) => `00-${String(index).padStart(32, '0')}-${String(index).padStart(16, '0')}-01`;
const batch = (jobs: string[], messages = 3): ProjectedBatch => {
  return { pipeline: 'current', stream: 'JOBS', consumer: 'c', messages, first: 5, last: 8, jobs };
};

test('a batch is one span, whatever its size, that links to the first jobs in it', async () => {
  const jobs = Array.from({ length: 200 }, (_, index) => traceparent(index + 1));
  expect(await projectBatch(batch(jobs, 900), async () => 'written')).toBe('written');
  const [span, ...others] = recorded.spans();
  expect(others).toEqual([]);
  expect(span).toMatchObject({ name: 'project current', kind: SpanKind.CONSUMER, parentSpanContext: undefined });
  expect(span?.attributes).toEqual({
    'messaging.system': 'nats',
    'messaging.operation.name': 'project',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'JOBS',
    'messaging.consumer.group.name': 'c',
    'messaging.batch.message_count': 900,
    'trellis.pipeline': 'current',
    'trellis.stream.first_sequence': 5,
    'trellis.stream.last_sequence': 8,
  });
  expect(span?.links).toHaveLength(MAX_LINKS);
  expect(span?.links[1]).toMatchObject({
    context: { traceId: '2'.padStart(32, '0') },
    attributes: { 'trellis.link': 'job' },
  });
});

test('size and time of what was written are recorded, and a batch that was not written is an error', async () => {
  const before = (await recorded.metric('trellis.projector.batch.events', { pipeline: 'current' })) ?? { count: 0 };
  await projectBatch(batch([]), async () => undefined);
  const failing = projectBatch(batch(['no traceparent']), () => Promise.reject(new Error('fenced')));
  await expect(failing).rejects.toThrow('fenced');
  const { count } = before as { count: number };
  expect(await recorded.metric('trellis.projector.batch.events', { pipeline: 'current' })).toMatchObject({
    count: count + 1,
  });
  expect(recorded.spans().map(({ status, links }) => [status.code, links.length])).toEqual([
    [SpanStatusCode.UNSET, 0],
    [SpanStatusCode.ERROR, 0],
  ]);
});

test('a batch without messages is no span', async () => {
  await projectBatch(batch([], 0), async () => undefined);
  expect(recorded.spans()).toEqual([]);
});
