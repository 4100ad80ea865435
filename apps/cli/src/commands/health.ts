// `trellis jobs health`
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { EXIT_CODES_HELP, HEALTH_EXIT } from '../exit-codes.ts';
import { showHealth } from '../show/health-table.ts';
import type { Terminal } from '../terminal/terminal.ts';

const EXAMPLES = `
Ends with 0 when healthy, 7 when degraded, 8 when unhealthy, 5 when nobody answers.

Examples:
  $ trellis jobs health
  $ trellis jobs health --json | jq -r '.checks[] | select(.status != "healthy") | .name'
${EXIT_CODES_HELP}`;

export function addHealth(jobs: Command, terminal: Terminal): void {
  jobs
    .command('health')
    .description('what works, what does not, how far behind the projections are')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const health = await withClient(options, (client) => client.rpc.jobs.health());
      if (options.json) terminal.print(JSON.stringify(health));
      else showHealth(health, terminal);
      process.exitCode = HEALTH_EXIT[health.status];
    });
}
