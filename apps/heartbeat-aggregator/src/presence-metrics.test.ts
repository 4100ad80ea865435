import { recordTelemetry } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { PresenceBook } from './presence-book.ts';
import { newCounts } from './presence-counts.ts';
import { PresenceMetrics } from './presence-metrics.ts';

const heartbeat = (service: string, instanceId: string) => ({
  service,
  type: 't',
  instanceId,
  concurrency: undefined,
  version: undefined,
  activeJobs: undefined,
  activeJobCount: undefined,
});

test('what came in and was written adds up, told with each write', async () => {
  await using recorded = recordTelemetry();
  const metrics = new PresenceMetrics();
  const heartbeats = (outcome: string) => recorded.metric('trellis.presence.heartbeats', { outcome });
  expect(await heartbeats('malformed')).toBe(0);
  const counts = newCounts();
  counts.heartbeats = 5;
  counts.rows = 2;
  metrics.tell(counts);
  counts.heartbeats = 8;
  counts.malformed = 1;
  metrics.tell(counts);
  expect(await heartbeats('accepted')).toBe(8);
  expect(await heartbeats('malformed')).toBe(1);
  expect(await recorded.metric('trellis.presence.writes')).toBe(2);
});

test('workers are counted by service and status, only while this replica keeps presence', async () => {
  await using recorded = recordTelemetry();
  const metrics = new PresenceMetrics();
  const workers = (service: string, status: string) => recorded.metric('trellis.presence.workers', { service, status });
  const book = new PresenceBook({ defaultIntervalMs: 10_000 });
  const now = 1_000_000_000_000;
  book.hear(heartbeat('orders', 'a'), now);
  book.hear(heartbeat('orders', 'b'), now - 30_000);
  book.hear(heartbeat('mails', 'c'), now - 90_000);
  book.heardUpTo(now);
  book.takeChanges();
  expect(await workers('orders', 'live')).toBeUndefined();
  metrics.book = book;
  expect(await workers('orders', 'live')).toBe(1);
  expect(await workers('orders', 'late')).toBe(1);
  expect(await workers('orders', 'gone')).toBe(0);
  expect(await workers('mails', 'gone')).toBe(1);
  metrics.book = undefined;
  expect(await workers('orders', 'live')).toBeUndefined();
});
