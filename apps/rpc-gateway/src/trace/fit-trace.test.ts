import type { TraceReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { jsonBytes } from '../rpc/fit-reply.ts';
import { fitTrace } from './fit-trace.ts';

const node = (depth: number): TraceReply['nodes'][number] => ({
  traceId: 'aa'.repeat(16),
  spanId: String(depth),
  depth,
  name: 'x'.repeat(300),
  kind: 'internal',
  service: 's',
  startedAt: '2026-03-01T12:00:00.000Z',
  durationMs: 1,
  status: 'unset',
  attributes: { 'trellis.job.id': 'j', 'db.statement': 'y'.repeat(1_000) },
});
const log = { timestamp: '2026-03-01T12:00:00.000Z', level: 'info', service: 's', message: 'z'.repeat(500) };
const reply: TraceReply = {
  id: 'j',
  traceIds: ['aa'.repeat(16)],
  nodes: Array.from({ length: 20 }, (_, depth) => node(depth)),
  logs: Array.from({ length: 40 }, () => log),
};

it('first leaves out attributes that nobody reads a job by', () => {
  const fitted = fitTrace(reply, 40_000);
  expect(fitted.nodes).toHaveLength(20);
  expect(fitted.nodes[0]?.attributes).toEqual({ 'trellis.job.id': 'j' });
  expect(fitted.logs).toHaveLength(40);
  expect(fitted.truncated).toBe(true);
});

it('then log lines, then nodes from the end, and always fits', () => {
  const fewerLogs = fitTrace(reply, 20_000);
  expect(fewerLogs.nodes).toHaveLength(20);
  expect(fewerLogs.logs.length).toBeLessThan(40);
  const fewerNodes = fitTrace(reply, 4_000);
  expect(fewerNodes.logs).toEqual([]);
  expect(fewerNodes.nodes.map(({ depth }) => depth)).toEqual([0, 1, 2, 3, 4]);
  expect(jsonBytes(fewerNodes)).toBeLessThanOrEqual(4_000);
});
