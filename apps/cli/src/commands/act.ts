// `trellis jobs cancel`, `retry`, `replay` and `dismiss`: one job, several, or all that match a filter.
import { userInfo } from 'node:os';
import type { CallOptions, JobsClient } from '@trellis/client';
import type { JobReply, JobState } from '@trellis/contracts';
import { ENDED_STATES, statesAccepting } from '@trellis/lifecycle';
import { type Command, InvalidArgumentError } from 'commander';
import { actOnJobs, type JobOutcome } from '../act/act-on-jobs.ts';
import { CliFailure, type GlobalOptions, withClient } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { addFilterOptions, type FilterOptions, filterOf } from '../options/filter-options.ts';
import { readStates } from '../options/read-arguments.ts';
import { type JobFilter, selectJobs } from '../select/select-jobs.ts';
import { countOfJobs, showOutcomes, showSelection, summaryOf, tallyOf } from '../show/act-report.ts';
import { STATE_STYLE } from '../show/states.ts';
import { confirm, mustBeAnswerable } from '../terminal/confirm.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface ActOptions extends GlobalOptions, FilterOptions {
  reason?: string;
  actor?: string;
  yes?: boolean;
  dryRun?: boolean;
  all?: boolean;
  force?: boolean;
  limit: number;
  concurrency: number;
}

export interface Action {
  name: string;
  description: string;
  /** States that it leads from: what a filter selects. */
  states: readonly JobState[];
  /** Cannot be taken back: asks also for a single job. */
  destructive: boolean;
  help: string;
  /** Whether it takes --force and --state. */
  cancels?: boolean;
  call(client: JobsClient, id: string, options: ActOptions, callOptions: CallOptions): Promise<JobReply>;
}

const reasonOf = ({ reason }: ActOptions): { reason?: string } => (reason === undefined ? {} : { reason });

const MANY = (name: string) => `
With ids it acts on these jobs; with a filter, or --all, on those that match, the oldest first, at most --limit of them: it
lists them first, says how many there are and asks. Ends with 9 when some of several jobs could not be done.

Examples:
  $ trellis jobs ${name} 01J9Z3V6Q4WXEHDM1T0ZP2R8KC`;

export const ACTIONS: readonly Action[] = [
  {
    name: 'cancel',
    description: 'stop jobs that are pending, active or in retry',
    states: statesAccepting('cancelled'),
    destructive: true,
    cancels: true,
    help: `
A job that waits is cancelled at once. A running one is asked to stop: it is cancelled when its handler has stopped, and
completed if that is quicker. --force cancels it without waiting for the handler, whose outcome is then ignored.
${MANY('cancel')} --reason "customer called"
  $ trellis jobs cancel 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --force --yes
  $ trellis jobs cancel --service orders-service --type notify-warehouse --state pending --dry-run`,
    call: (client, id, options, callOptions) =>
      client.rpc.jobs.cancel({ id, ...(options.force ? { force: true } : {}), ...reasonOf(options) }, callOptions),
  },
  {
    name: 'retry',
    description: 'run failed jobs again',
    states: ['failed'],
    destructive: false,
    help: `${MANY('retry')}
  $ trellis jobs retry --service orders-service --error "timeout" --since 1h --reason "provider is back"`,
    call: (client, id, options, callOptions) => client.rpc.jobs.retry({ id, ...reasonOf(options) }, callOptions),
  },
  {
    name: 'replay',
    description: 'run dead jobs again, from the dead-letter queue',
    states: ['dead'],
    destructive: false,
    help: `${MANY('replay')}
  $ trellis jobs replay --service orders-service --error "card declined" --limit 500`,
    call: (client, id, options, callOptions) => client.rpc.jobs.replayDLQ({ id, ...reasonOf(options) }, callOptions),
  },
  {
    name: 'dismiss',
    description: 'close dead jobs for good: they are not run again',
    states: statesAccepting('dismissed'),
    destructive: true,
    help: `${MANY('dismiss')} --reason "no longer needed"
  $ trellis jobs dismiss --service orders-service --until 30d --yes`,
    call: (client, id, options, callOptions) => client.rpc.jobs.dismissDLQ({ id, ...reasonOf(options) }, callOptions),
  },
];

export function addActions(jobs: Command, terminal: Terminal): void {
  for (const action of ACTIONS) addAction(jobs, action, terminal);
}

function addAction(jobs: Command, action: Action, terminal: Terminal): void {
  const command = jobs.command(action.name).description(action.description).argument('[ids...]', 'ids of jobs');
  addFilterOptions(command);
  if (action.cancels) {
    command
      .option('--state <state>', 'only in this state; repeat it or use commas for several', readStates)
      .option('--force', 'cancel a running job at once');
  }
  command
    .option('--all', `every job that is ${action.states.join(', ')}, if no filter narrows it`)
    .option('--limit <n>', 'with a filter: at most so many', readCount, 1_000)
    .option('--concurrency <n>', 'calls under way at once', readCount, 8)
    .option('--dry-run', 'only show what would be acted on')
    .option('--yes', 'do not ask')
    .option('--reason <text>', 'why, kept with the job')
    .option('--actor <name>', 'who asks, kept with the job (default: the user that runs this)')
    .addHelpText('after', action.help)
    .action(async (ids: string[], _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<ActOptions>();
      const filter = filterOf(options);
      checkUsage(action, ids, filter, options);
      await withClient(options.nats === undefined ? {} : { nats: options.nats }, async (client) => {
        const run = new Run(action, options, client, terminal);
        const [only, ...others] = ids;
        if (only !== undefined && others.length === 0) return run.one(only);
        return ids.length > 0 ? run.each([...new Set(ids)]) : run.matching(filter);
      });
    });
}

function checkUsage(action: Action, ids: string[], filter: JobFilter, { all, state }: ActOptions): void {
  const filtered = all || Object.keys(filter).length > 0;
  if (ids.length > 0 && filtered) throw wrong('give either ids or a filter, not both');
  if (ids.length === 0 && !filtered) {
    throw wrong(
      `give the ids of jobs, a filter such as --service, or --all for every ${action.states.join(' or ')} job`,
    );
  }
  const ended = state?.filter((one) => ENDED_STATES.includes(one)) ?? [];
  if (ended.length > 0)
    throw wrong(`--state: ${action.name} accepts ${action.states.join(', ')}, not ${ended.join(', ')}`);
}

const wrong = (message: string): CliFailure => new CliFailure(EXIT.usage, message, { code: 'usage' });

/** One run of a command: what is acted on, the question, the calls, the report. */
class Run {
  readonly #action: Action;
  readonly #options: ActOptions;
  readonly #client: JobsClient;
  readonly #terminal: Terminal;

  constructor(action: Action, options: ActOptions, client: JobsClient, terminal: Terminal) {
    this.#action = action;
    this.#options = options;
    this.#client = client;
    this.#terminal = terminal;
  }

  async one(id: string): Promise<void> {
    const { json, dryRun, yes } = this.#options;
    const terminal = this.#terminal;
    if (this.#action.destructive && !dryRun) mustBeAnswerable(this.#asked, terminal);
    if (dryRun || (this.#action.destructive && !yes)) {
      const { service, type, state } = await this.#client.rpc.jobs.get({ id });
      const what = `${id} (${service}/${type}), which is ${state}`;
      if (dryRun) return terminal.print(json ? JSON.stringify({ ids: [id] }) : `would ${this.#action.name} ${what}`);
      await confirm(`${capital(this.#action.name)} ${what}?`, this.#asked, terminal);
    }
    const reply = await this.#act(id);
    if (json) terminal.print(JSON.stringify(reply));
    else terminal.print(sentence(reply, terminal));
  }

  async each(ids: string[]): Promise<void> {
    if (this.#options.dryRun) return this.#showPlan(ids);
    await confirm(`${capital(this.#action.name)} these ${countOfJobs(ids.length)}?`, this.#asked, this.#terminal);
    await this.#run(ids);
  }

  async matching(filter: JobFilter): Promise<void> {
    const { dryRun, limit, json } = this.#options;
    if (!dryRun) mustBeAnswerable(this.#asked, this.#terminal);
    const state = filter.state ?? [...this.#action.states];
    const selection = await selectJobs(this.#client, { ...filter, state }, limit);
    const ids = selection.jobs.map((job) => job.id);
    if (ids.length === 0) {
      return this.#terminal.print(
        json ? JSON.stringify({ matched: 0, done: 0, failed: 0, notTried: 0, jobs: [] }) : 'no jobs match',
      );
    }
    if (!json || !this.#options.yes) showSelection(selection, this.#terminal);
    if (dryRun) return this.#showPlan(ids, selection.count);
    await confirm(`${capital(this.#action.name)} ${countOfJobs(ids.length)}?`, this.#asked, this.#terminal);
    await this.#run(ids, selection.count);
  }

  #showPlan(ids: string[], matched = ids.length): void {
    const { json } = this.#options;
    if (json) this.#terminal.print(JSON.stringify({ matched, ids }));
    else this.#terminal.print(`would ${this.#action.name} ${countOfJobs(ids.length)}`);
  }

  async #run(ids: string[], matched = ids.length): Promise<void> {
    const { json, concurrency } = this.#options;
    const terminal = this.#terminal;
    const stop = new AbortController();
    // What is under way is finished and reported; a second Ctrl-C ends at once.
    const onSignal = () => stop.abort();
    process.once('SIGINT', onSignal);
    let outcomes: JobOutcome[];
    try {
      outcomes = await actOnJobs(ids, (id) => this.#act(id), {
        concurrency,
        signal: stop.signal,
        onProgress: (done) => terminal.progress(done, ids.length),
      });
    } finally {
      process.removeListener('SIGINT', onSignal);
    }
    if (json) terminal.print(JSON.stringify({ matched, ...tallyOf(outcomes), jobs: outcomes.map(withoutReply) }));
    else showOutcomes(outcomes, terminal);
    const { failed, notTried } = tallyOf(outcomes);
    if (failed + notTried > 0) throw new CliFailure(EXIT.someFailed, summaryOf(outcomes), { code: 'some-failed' });
  }

  get #asked() {
    return { command: this.#action.name, yes: this.#options.yes };
  }

  #act(id: string): Promise<JobReply> {
    const actor = this.#options.actor ?? userName();
    return this.#action.call(this.#client, id, this.#options, actor === undefined ? {} : { actorId: actor });
  }
}

/** Of who runs the command; undefined where the system does not know. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function withoutReply(outcome: JobOutcome): object {
  if (outcome.outcome !== 'done') return outcome;
  const { reply: _left, ...rest } = outcome;
  return rest;
}

function sentence({ job, ...reply }: JobReply, { style }: Terminal): string {
  const state = style(STATE_STYLE[job.state] ?? 'white', job.state);
  const owner = `${job.id} (${job.service}/${job.type})`;
  if (job.state === 'active' && job.cancelRequestedAt !== undefined) {
    return `${owner} is ${state} and was asked to stop; trellis jobs watch ${job.id}`;
  }
  const remark = reply.forced ? ': it was running, and whatever its handler still does is ignored' : '';
  return `${owner} is ${state}${remark}`;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('expected a number from 1.');
}
