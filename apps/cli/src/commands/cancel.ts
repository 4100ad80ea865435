// `trellis jobs cancel`
import type { JobReply } from '@trellis/contracts';
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { STATE_STYLE } from '../show/states.ts';
import type { Terminal } from '../terminal.ts';

interface CancelOptions extends GlobalOptions {
  force?: boolean;
  reason?: string;
  actor?: string;
}

const EXAMPLES = `
A job that waits is cancelled at once. A running one is asked to stop: it is cancelled when its handler has stopped, and
completed if that is quicker. --force cancels it without waiting for the handler, whose outcome is then ignored.

Examples:
  $ trellis jobs cancel 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --reason "customer called"
  $ trellis jobs cancel 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --force`;

export function addCancel(jobs: Command, terminal: Terminal): void {
  jobs
    .command('cancel')
    .description('stop a job that is pending, active or in retry')
    .argument('<id>', 'id of the job')
    .option('--force', 'cancel a running job at once')
    .option('--reason <text>', 'why, kept with the job')
    .option('--actor <name>', 'who asks, kept with the job')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { json, force, reason, actor, nats } = command.optsWithGlobals<CancelOptions>();
      const reply = await withClient(nats === undefined ? {} : { nats }, (client) =>
        client.rpc.jobs.cancel(
          { id, ...(force ? { force } : {}), ...(reason === undefined ? {} : { reason }) },
          actor === undefined ? {} : { actorId: actor },
        ),
      );
      if (json) terminal.print(JSON.stringify(reply));
      else terminal.print(outcome(reply, terminal));
    });
}

function outcome({ job, ...reply }: JobReply, { style }: Terminal): string {
  const state = style(STATE_STYLE[job.state] ?? 'white', job.state);
  const owner = `${job.id} (${job.service}/${job.type})`;
  if (job.state === 'active') return `${owner} is ${state} and was asked to stop; trellis jobs watch ${job.id}`;
  const remark = reply.forced ? ': it was running, and whatever its handler still does is ignored' : '';
  return `${owner} is ${state}${remark}`;
}
