// `trellis jobs health`
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { EXIT_CODES_HELP, HEALTH_EXIT } from '../exit-codes.ts';
import { showHealth } from '../show/health-table.ts';
import type { Terminal } from '../terminal/terminal.ts';

const EXAMPLES = `
The exit code is 0 if healthy, 7 if degraded, 8 if unhealthy, 5 if the gateway does not answer.

Examples:
  $ trellis jobs health
  $ trellis jobs health --json | jq -r '.checks[] | select(.status != "healthy") | .name'
${EXIT_CODES_HELP}`;

export function addHealth(jobs: Command, terminal: Terminal): void {
  jobs
    .command('health')
    .description('health of each part, and the lag of the projections')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const health = await withClient(options, (client) => client.rpc.jobs.health());
      if (options.json) terminal.print(JSON.stringify(health));
      else showHealth(health, terminal);
      process.exitCode = HEALTH_EXIT[health.status];
    });
}
