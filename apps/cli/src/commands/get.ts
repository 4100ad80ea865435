// `trellis jobs get`
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { remarksOn, showJob } from '../show/job-details.ts';
import type { Terminal } from '../terminal/terminal.ts';

const EXAMPLES = `
Examples:
  $ trellis jobs get 01J9Z3V6Q4WXEHDM1T0ZP2R8KC
  $ trellis jobs get 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --json | jq .payload`;

export function addGet(jobs: Command, terminal: Terminal): void {
  jobs
    .command('get')
    .description('one job: payload, result, error, progress, logs, timings, trace')
    .argument('<id>', 'id of the job')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const job = await withClient(options, (client) => client.rpc.jobs.get({ id }));
      if (options.json) return terminal.print(JSON.stringify(job));
      showJob(job, terminal);
      for (const remark of remarksOn({ job })) terminal.remark(`\n${remark}`);
    });
}
