// The filter options, shared by every command that selects jobs by their fields.
import type { JobState } from '@trellis/contracts';
import type { Command } from 'commander';
import type { JobFilter } from '../select/select-jobs.ts';
import { readSince } from './read-arguments.ts';

export interface FilterOptions {
  service?: string;
  type?: string;
  state?: JobState[];
  since?: string;
  until?: string;
  trace?: string;
  request?: string;
  key?: string;
  error?: string;
}

export const addFilterOptions = (command: Command): Command =>
  command
    .option('--service <name>', 'only of this service')
    .option('--type <name>', 'only of this job type')
    .option('--since <time>', 'updated since then: 10m, 2h, 1d or an RFC 3339 time', (text) => readSince(text))
    .option('--until <time>', 'updated before then', (text) => readSince(text))
    .option('--trace <id>', 'only of this trace')
    .option('--request <id>', 'only of this request')
    .option('--key <key>', 'only with this concurrency key')
    .option('--error <text>', 'only with this text in the last error');

/** The filter of a request. Options that are not given are left out. */
export function filterOf({ service, type, state, since, until, trace, request, key, error }: FilterOptions): JobFilter {
  const named = { service, type, state, since, until, traceId: trace, requestId: request, key, search: error };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
