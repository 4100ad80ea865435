import type { TraceLog, TraceNode, TraceReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { selectLogs } from './select-logs.ts';

const node = (spanId: string, depth: number, jobId?: string): TraceNode => ({
  traceId: 't',
  spanId,
  depth,
  name: spanId,
  kind: 'internal',
  service: 's',
  startedAt: '2026-03-01T12:00:00.000Z',
  durationMs: 1,
  status: 'unset',
  attributes: {},
  ...(jobId === undefined ? {} : { jobId }),
});
const log = (message: string, spanId: string, jobId?: string): TraceLog => ({
  timestamp: '2026-03-01T12:00:00.000Z',
  level: 'info',
  service: 's',
  message,
  spanId,
  ...(jobId === undefined ? {} : { jobId }),
});

const picture: TraceReply = {
  id: 'job',
  traceIds: ['t'],
  nodes: [
    node('request', 0),
    node('create', 1, 'job'),
    node('process', 2, 'job'),
    node('query', 3),
    node('create-child', 3, 'child'),
    node('process-child', 4, 'child'),
    node('query-child', 5),
    node('process-2', 2, 'job'),
    node('create-sibling', 1, 'sibling'),
  ],
  logs: [
    log('of the request', 'request'),
    log('of the job', 'process', 'job'),
    log('below the job', 'query'),
    log('of the child', 'process-child', 'child'),
    log('below the child', 'query-child'),
    log('of the second attempt', 'process-2'),
    log('of the sibling', 'create-sibling', 'sibling'),
    log('of the job, elsewhere', 'request', 'job'),
  ],
};
const messages = (own: boolean) => selectLogs(picture, own).map(({ message }) => message);

it('selects the log lines of the job and of the jobs that it created', () => {
  expect(messages(false)).toEqual([
    'of the job',
    'below the job',
    'of the child',
    'below the child',
    'of the second attempt',
    'of the job, elsewhere',
  ]);
});

it('selects only the log lines of the job itself', () => {
  expect(messages(true)).toEqual(['of the job', 'below the job', 'of the second attempt', 'of the job, elsewhere']);
});
