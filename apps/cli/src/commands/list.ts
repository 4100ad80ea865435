// `trellis jobs list`, and `trellis jobs dlq`: the same, only for dead jobs.
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { addFilterOptions, type FilterOptions, filterOf } from '../options/filter-options.ts';
import { readLimit, readOffset, readStates } from '../options/read-arguments.ts';
import { showJobTable } from '../show/job-table.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface ListOptions extends GlobalOptions, FilterOptions {
  search?: string;
  oldest?: boolean;
  limit: number;
  offset?: number;
  cursor?: string;
}

const LIST_EXAMPLES = `
Examples:
  $ trellis jobs list                                             the newest jobs of all services
  $ trellis jobs list --service orders-service --state dead       what needs an operator
  $ trellis jobs list --state failed,dead --since 1h              what went wrong in the last hour
  $ trellis jobs list --search "card declined" --json | jq .count
  $ trellis jobs list --trace 4bf92f3577b34da6a3ce929d0e0e4736    the jobs of one trace`;

const DLQ_EXAMPLES = `
To run them again: trellis jobs replay. To close them: trellis jobs dismiss.

Examples:
  $ trellis jobs dlq
  $ trellis jobs dlq --service orders-service --error "card declined" --since 1d`;

export function addList(jobs: Command, terminal: Terminal): void {
  const list = jobs.command('list').description('jobs, newest first');
  list.option('--state <state>', 'only in this state; repeat it or use commas for several', readStates);
  addPage(list, terminal, {}).addHelpText('after', LIST_EXAMPLES);
  const dlq = jobs
    .command('dlq')
    .description('the dead-letter queue: jobs whose last attempt has failed, newest first');
  addPage(dlq, terminal, { state: ['dead'] }).addHelpText('after', DLQ_EXAMPLES);
}

function addPage(command: Command, terminal: Terminal, fixed: Pick<FilterOptions, 'state'>): Command {
  return addFilterOptions(command)
    .option('--search <text>', 'the same as --error')
    .option('--oldest', 'oldest first')
    .option('--limit <n>', 'maximum number of jobs', readLimit, 50)
    .option('--offset <n>', 'skip this many jobs', readOffset)
    .option('--cursor <cursor>', 'continue where an earlier page ended')
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<ListOptions>();
      const { json, search, oldest, limit, offset, cursor } = options;
      const page = await withClient(options, (client) =>
        client.rpc.jobs.list({
          ...(search === undefined ? {} : { search }),
          ...filterOf({ ...options, ...fixed }),
          ...(oldest ? { order: 'oldest' as const } : {}),
          limit,
          ...(offset === undefined ? {} : { offset }),
          ...(cursor === undefined ? {} : { cursor }),
        }),
      );
      if (json) terminal.print(JSON.stringify(page));
      else showJobTable(page, terminal);
    });
}
