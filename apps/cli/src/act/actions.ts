// The four actions of operators: their help, the states they accept and the RPC they call.
// Choosing the jobs and asking for confirmation is left to run-action.ts.
import type { CallOptions, JobsClient } from '@trellis/client';
import type { JobReply, JobState } from '@trellis/contracts';
import { statesAccepting } from '@trellis/lifecycle';
import type { GlobalOptions } from '../cli.ts';
import type { FilterOptions } from '../options/filter-options.ts';

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
  /** The states that the action accepts; a filter selects only jobs in these. */
  states: readonly JobState[];
  /** Cannot be undone: asks for confirmation even for a single job. */
  destructive: boolean;
  help: string;
  /** Whether it has the options --force and --state. */
  cancels?: boolean;
  call(client: JobsClient, id: string, options: ActOptions, callOptions: CallOptions): Promise<JobReply>;
}

const reasonOf = ({ reason }: ActOptions): { reason?: string } => (reason === undefined ? {} : { reason });

const MANY = (name: string) => `
With ids it acts on these jobs. With a filter or --all it acts on the jobs that match, oldest first, at most --limit of them: it
shows them and their number first, then asks. The exit code is 9 if the action failed for some of several jobs.

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
A waiting job is cancelled immediately. A running job is asked to stop: it becomes cancelled when its handler has stopped, or
completed if the handler finishes first. --force cancels it immediately; whatever its handler still does is ignored.
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
