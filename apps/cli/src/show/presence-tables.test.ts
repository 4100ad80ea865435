import type { ServiceEntry } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { showServices, showWorkers } from './presence-tables.ts';

const NOW = Date.parse('2026-01-31T10:00:00.000Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();
const worker = (fields: Partial<ServiceEntry['workers'][number]> = {}): ServiceEntry['workers'][number] => ({
  service: 'orders-service',
  jobType: 'charge-payment',
  instanceId: 'w-1',
  timestamp: ago(2),
  status: 'live',
  ...fields,
});

it('shows services with their number of workers, and open jobs of services without workers', () => {
  const terminal = recordedTerminal();
  const entries: ServiceEntry[] = [
    {
      name: 'a',
      healthy: true,
      workers: [],
      workerCounts: { live: 2, late: 0, gone: 9 },
      openJobs: 4,
      lastSeenAt: ago(2),
    },
    { name: 'b', healthy: false, workers: [], workerCounts: { live: 0, late: 0, gone: 0 }, openJobs: 7 },
  ];
  showServices({ entries, presenceAsOf: ago(1) }, terminal, NOW);
  expect(terminal.printed.join('\n').split('\n')).toEqual([
    'SERVICE  HEALTH     LIVE  LATE  GONE  OPEN JOBS  LAST SEEN',
    'a        healthy    2     0     9     4          2s ago',
    'b        unhealthy  0     0     0     7          never',
  ]);
  expect(terminal.remarked).toEqual([]);
});

it('shows the jobs of each worker without control sequences, and how many workers are hidden', () => {
  const terminal = recordedTerminal();
  const workers = [
    worker({ activeJobs: ['j-1', 'j-2', 'j-3'], activeJobCount: 12, version: '\u001b[31m1.0', concurrency: 4 }),
    worker({ instanceId: 'w-2', status: 'late', activeJobs: [] }),
  ];
  showWorkers({ workers, hidden: 3, presenceAsOf: ago(1) }, terminal, NOW);
  const lines = terminal.printed.join('\n').split('\n');
  expect(lines[1]).toMatch(/^orders-service +charge-payment +w-1 +live +2s ago +4 +1\.0 +j-1 j-2 j-3 and 9 more$/);
  expect(lines[2]).toMatch(/^orders-service +charge-payment +w-2 +late +2s ago$/);
  expect(lines[3]).toBe('3 gone (--gone shows them)');
});

it('remarks on presence that is old or was never recorded', () => {
  for (const [presenceAsOf, remark] of [
    [ago(90), /presence is 1m old: is the heartbeat aggregator running\?/],
    [undefined, /no presence has been recorded yet/],
  ] as const) {
    const terminal = recordedTerminal();
    showServices({ entries: [], presenceAsOf }, terminal, NOW);
    expect(terminal.printed).toEqual(['no services are known']);
    expect(terminal.remarked[0]).toMatch(remark);
  }
});
