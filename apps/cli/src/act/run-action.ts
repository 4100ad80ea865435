// Runs one action on one job, on several, or on all that match a filter: shows them, asks, calls, reports.
// Reading the options is left to commands/act.ts.
import { userInfo } from 'node:os';
import type { JobsClient } from '@trellis/client';
import type { JobReply } from '@trellis/contracts';
import { CliFailure } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { type JobFilter, selectJobs } from '../select/select-jobs.ts';
import { countOfJobs, showOutcomes, showSelection, summaryOf, tallyOf } from '../show/act-report.ts';
import { STATE_STYLE } from '../show/states.ts';
import { confirm, mustBeAnswerable } from '../terminal/confirm.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { actOnJobs, type JobOutcome } from './act-on-jobs.ts';
import type { Action, ActOptions } from './actions.ts';

/** One run of a command. Each method acts on a different choice of jobs. */
export class ActionRun {
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
    if (this.#action.destructive && !dryRun) mustBeAnswerable(this.#confirmation, terminal);
    if (dryRun || (this.#action.destructive && !yes)) {
      const { service, type, state } = await this.#client.rpc.jobs.get({ id });
      const what = `${id} (${service}/${type}), which is ${state}`;
      if (dryRun) return terminal.print(json ? JSON.stringify({ ids: [id] }) : `would ${this.#action.name} ${what}`);
      await confirm(`${capital(this.#action.name)} ${what}?`, this.#confirmation, terminal);
    }
    const reply = await this.#act(id);
    if (json) terminal.print(JSON.stringify(reply));
    else terminal.print(sentence(reply, terminal));
  }

  async each(ids: string[]): Promise<void> {
    if (this.#options.dryRun) return this.#showPlan(ids);
    await confirm(
      `${capital(this.#action.name)} these ${countOfJobs(ids.length)}?`,
      this.#confirmation,
      this.#terminal,
    );
    await this.#run(ids);
  }

  async matching(filter: JobFilter): Promise<void> {
    const { dryRun, limit, json } = this.#options;
    if (!dryRun) mustBeAnswerable(this.#confirmation, this.#terminal);
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
    await confirm(`${capital(this.#action.name)} ${countOfJobs(ids.length)}?`, this.#confirmation, this.#terminal);
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
    // After the first Ctrl-C, calls in flight are completed and reported. A second one ends the process.
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

  get #confirmation() {
    return { command: this.#action.name, yes: this.#options.yes };
  }

  #act(id: string): Promise<JobReply> {
    const actor = this.#options.actor ?? userName();
    return this.#action.call(this.#client, id, this.#options, actor === undefined ? {} : { actorId: actor });
  }
}

/** Name of the user who runs the command; undefined if the system does not know it. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function withoutReply(outcome: JobOutcome): object {
  if (outcome.outcome !== 'done') return outcome;
  const { reply: _reply, ...rest } = outcome;
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
