// `trellis jobs cancel`, `retry`, `replay` and `dismiss`: their options and which combinations are valid.
import { ENDED_STATES } from '@trellis/lifecycle';
import { type Command, InvalidArgumentError } from 'commander';
import { ACTIONS, type Action, type ActOptions } from '../act/actions.ts';
import { ActionRun } from '../act/run-action.ts';
import { CliFailure, withClient } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { addFilterOptions, filterOf } from '../options/filter-options.ts';
import { readStates } from '../options/read-arguments.ts';
import type { JobFilter } from '../select/select-jobs.ts';
import type { Terminal } from '../terminal/terminal.ts';

export function addActions(jobs: Command, terminal: Terminal): void {
  for (const action of ACTIONS) addAction(jobs, action, terminal);
}

function addAction(jobs: Command, action: Action, terminal: Terminal): void {
  const command = jobs.command(action.name).description(action.description).argument('[ids...]', 'ids of jobs');
  addFilterOptions(command);
  if (action.cancels) {
    command
      .option('--state <state>', 'only in this state; repeat it or use commas for several', readStates)
      .option('--force', 'cancel a running job immediately');
  }
  command
    .option('--all', `all jobs that are ${action.states.join(', ')}, if there is no filter`)
    .option('--limit <n>', 'maximum number of jobs that a filter selects', readCount, 1_000)
    .option('--concurrency <n>', 'maximum number of calls in flight', readCount, 8)
    .option('--dry-run', 'only show which jobs would be affected')
    .option('--yes', 'do not ask for confirmation')
    .option('--reason <text>', 'why; recorded with the job')
    .option('--actor <name>', 'who acts; recorded with the job (default: your user name)')
    .addHelpText('after', action.help)
    .action(async (ids: string[], _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<ActOptions>();
      const filter = filterOf(options);
      checkUsage(action, ids, filter, options);
      await withClient(options.nats === undefined ? {} : { nats: options.nats }, async (client) => {
        const run = new ActionRun(action, options, client, terminal);
        const [only, ...others] = ids;
        if (only !== undefined && others.length === 0) return run.one(only);
        return ids.length > 0 ? run.each([...new Set(ids)]) : run.matching(filter);
      });
    });
}

function checkUsage(action: Action, ids: string[], filter: JobFilter, { all, state }: ActOptions): void {
  const filtered = all || Object.keys(filter).length > 0;
  if (ids.length > 0 && filtered) throw usageError('give either ids or a filter, not both');
  if (ids.length === 0 && !filtered) {
    throw usageError(
      `give the ids of jobs, a filter such as --service, or --all for every ${action.states.join(' or ')} job`,
    );
  }
  const ended = state?.filter((one) => ENDED_STATES.includes(one)) ?? [];
  if (ended.length > 0)
    throw usageError(`--state: ${action.name} accepts ${action.states.join(', ')}, not ${ended.join(', ')}`);
}

const usageError = (message: string): CliFailure => new CliFailure(EXIT.usage, message, { code: 'usage' });

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('expected a whole number of at least 1.');
}
