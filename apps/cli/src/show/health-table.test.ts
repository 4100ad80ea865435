import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { showHealth } from './health-table.ts';

it('shows the status of each part and of the whole system', () => {
  const terminal = recordedTerminal();
  const checks = [
    { name: 'nats', status: 'healthy' as const, latencyMs: 0.4 },
    { name: 'postgres', status: 'unhealthy' as const, message: 'the job store cannot be reached' },
    {
      name: 'pipeline-current',
      status: 'degraded' as const,
      lagEvents: 1,
      lagSeconds: 90,
      message: 'is behind the stream',
    },
    { name: 'pipeline-history', status: 'healthy' as const, lagEvents: 0 },
    { name: 'quarantine', status: 'healthy' as const, size: 12 },
    { name: 'something-new', status: 'healthy' as const, whatever: true },
  ];
  showHealth({ service: 'trellis-jobs', status: 'unhealthy', timestamp: '', checks }, terminal);
  expect(terminal.printed.join('\n').split('\n')).toEqual([
    'PART              STATUS     DETAILS',
    'nats              healthy    answers in 0.4 ms',
    'postgres          unhealthy  the job store cannot be reached',
    'pipeline-current  degraded   is behind the stream · 1 event behind, the oldest from 1m ago',
    'pipeline-history  healthy    up to date',
    'quarantine        healthy    12 messages',
    'something-new     healthy',
    '',
    'trellis-jobs is unhealthy',
  ]);
});
