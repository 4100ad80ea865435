// `trellis jobs list`
import type { JobState } from '@trellis/contracts';
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { readLimit, readOffset, readSince, readStates } from '../read-arguments.ts';
import { showJobTable } from '../show/job-table.ts';
import type { Terminal } from '../terminal.ts';

interface ListOptions extends GlobalOptions {
  service?: string;
  type?: string;
  state?: JobState[];
  since?: string;
  until?: string;
  trace?: string;
  request?: string;
  key?: string;
  search?: string;
  oldest?: boolean;
  limit: number;
  offset?: number;
  cursor?: string;
}

const EXAMPLES = `
Examples:
  $ trellis jobs list                                             the newest jobs of all services
  $ trellis jobs list --service orders-service --state dead       what needs an operator
  $ trellis jobs list --state failed,dead --since 1h              what went wrong in the last hour
  $ trellis jobs list --search "card declined" --json | jq .count
  $ trellis jobs list --trace 4bf92f3577b34da6a3ce929d0e0e4736    the jobs of one trace`;

export function addList(jobs: Command, terminal: Terminal): void {
  jobs
    .command('list')
    .description('jobs, newest first')
    .option('--service <name>', 'only of this service')
    .option('--type <name>', 'only of this job type')
    .option('--state <state>', 'only in this state; repeat it or use commas for several', readStates)
    .option('--since <time>', 'updated since then: 10m, 2h, 1d or an RFC 3339 time', (text) => readSince(text))
    .option('--until <time>', 'updated before then', (text) => readSince(text))
    .option('--trace <id>', 'only of this trace')
    .option('--request <id>', 'only of this request')
    .option('--key <key>', 'only with this concurrency key')
    .option('--search <text>', 'only with this text in the last error')
    .option('--oldest', 'oldest first')
    .option('--limit <n>', 'how many', readLimit, 50)
    .option('--offset <n>', 'pass over so many', readOffset)
    .option('--cursor <cursor>', 'go on where an earlier page ended')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const { json, nats: _nats, state, trace, request, oldest, ...filter } = command.optsWithGlobals<ListOptions>();
      const page = await withClient(command.optsWithGlobals<ListOptions>(), (client) =>
        client.rpc.jobs.list({
          ...filter,
          ...(state === undefined ? {} : { state }),
          ...(trace === undefined ? {} : { traceId: trace }),
          ...(request === undefined ? {} : { requestId: request }),
          ...(oldest ? { order: 'oldest' as const } : {}),
        }),
      );
      if (json) terminal.print(JSON.stringify(page));
      else showJobTable(page, terminal);
    });
}
