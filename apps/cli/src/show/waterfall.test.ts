import { ATTR, type TraceNode, type TraceReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { remarksOnTrace, showWaterfall } from './waterfall.ts';

const BASE = Date.parse('2026-03-01T12:00:00.000Z');
const at = (ms: number) => new Date(BASE + ms).toISOString();

const node = (
  spanId: string,
  depth: number,
  startMs: number,
  durationMs: number,
  more: Partial<TraceNode> = {},
): TraceNode => ({
  traceId: 'ab'.repeat(16),
  spanId,
  depth,
  name: spanId,
  kind: 'internal',
  service: 'orders-service',
  startedAt: at(startMs),
  durationMs,
  status: 'unset',
  attributes: {},
  ...more,
});

const ofJob = (operation: string, type: string, attempt?: number): Partial<TraceNode> => ({
  name: `${operation} trellis.work.orders-service.${type}`,
  attributes: {
    [ATTR.jobService]: 'orders-service',
    [ATTR.jobType]: type,
    ...(attempt === undefined ? {} : { [ATTR.jobAttempt]: String(attempt) }),
  },
});

const picture: TraceReply = {
  id: 'job-1',
  traceIds: ['ab'.repeat(16)],
  nodes: [
    node('POST /orders', 0, 0, 10, { service: 'shop' }),
    node('c', 1, 2, 1, ofJob('create', 'charge')),
    node('w', 2, 3, 17, ofJob('wait', 'charge', 1)),
    node('p1', 2, 20, 30, {
      ...ofJob('process', 'charge', 1),
      status: 'error',
      statusMessage: 'card\u001b[2J declined',
    }),
    node('p2', 2, 60, 0, { ...ofJob('process', 'charge', 2), missing: true }),
    node('p3', 2, 80, 20, { ...ofJob('process', 'charge', 3), running: true }),
    node('query', 3, 90, 5, { service: 'db' }),
  ],
  logs: [
    { timestamp: at(21), level: 'info', service: 'orders-service', message: 'charging', spanId: 'p1', jobId: 'job-1' },
    { timestamp: at(91), level: 'warn', service: 'orders-service', message: 'slow\nquery', spanId: 'query' },
  ],
  links: { trace: 'https://traces.example/1' },
};

function shown(reply: TraceReply, columns?: number, logs = true): string[] {
  const terminal = recordedTerminal(columns);
  showWaterfall(reply, terminal, { logs });
  return terminal.printed.join('\n').split('\n');
}

it('draws the tree with services, offsets, durations and bars, and log lines below their span', () => {
  expect(shown(picture, 92)).toEqual([
    'POST /orders                         shop             +0ms  10ms  ██',
    '└─ create charge                     orders-service   +2ms   1ms  ▏',
    '   ├─ wait charge #1                 orders-service   +3ms  17ms  █████',
    '   ├─ process charge #1 ✗            orders-service  +20ms  30ms       ████████',
    '   │    card declined',
    '   │    12:00:00.021 info  charging',
    '   ├─ process charge #2 (span lost)  orders-service  +60ms                       ▏',
    '   └─ process charge #3 (running)    orders-service  +80ms                            ██████',
    '      └─ query                       db              +90ms   5ms                         █',
    '           12:00:00.091 warn  slow query',
    '',
    '7 spans (1 lost) · 2 log lines · 1 trace: abababababababababababababababab',
    'trace  https://traces.example/1',
  ]);
});

it('leaves the log lines out on request', () => {
  const lines = shown(picture, 92, false);
  expect(lines).toHaveLength(11);
  expect(lines.join('\n')).not.toContain('charging');
});

it.for([60, 80, 100, 200])('no line is longer than %i columns, whatever the texts of services are', (columns) => {
  const long = picture.nodes.map((one) => ({ ...one, name: 'n'.repeat(300), statusMessage: 'x'.repeat(300) }));
  const logs = picture.logs.map((log) => ({ ...log, message: 'y'.repeat(300) }));
  const lines = shown({ ...picture, nodes: long, logs }, columns).slice(0, -3);
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
});

it('draws spans that are hours apart, and a single span of length zero', () => {
  const apart = shown({ ...picture, nodes: [node('a', 0, 0, 1), node('b', 1, 7_200_000, 60_000)], logs: [] }, 60);
  expect(apart[1]).toMatch(/^└─ b {2}orders-service {2}\+2h 00m {2}1m 00s {2} +▏$/);
  expect(shown({ ...picture, nodes: [node('a', 0, 0, 0)], logs: [] }, 60)[0]).toMatch(/^a .*\+0ms {2}0ms {2}█/);
});

it('remarks on a reply that is incomplete', () => {
  expect(remarksOnTrace(picture)).toEqual([]);
  expect(remarksOnTrace({ ...picture, truncated: true, eventsOnly: true })).toHaveLength(2);
});
