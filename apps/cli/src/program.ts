// The list of commands, their common options and the general help.
import { Command } from 'commander';
import { addActions } from './commands/act.ts';
import { addGet } from './commands/get.ts';
import { addHealth } from './commands/health.ts';
import { addHistory } from './commands/history.ts';
import { addKey } from './commands/key.ts';
import { addList } from './commands/list.ts';
import { addProvision } from './commands/provision.ts';
import { addServices } from './commands/services.ts';
import { addTrace } from './commands/trace.ts';
import { addWatch } from './commands/watch.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import type { Terminal } from './terminal/terminal.ts';

const WHERE = `
The NATS server is the first of: --nats; NATS_URL (with NATS_OPTIONS); the system that \`npm start\` runs from this checkout (or
in TRELLIS_HOME); nats://127.0.0.1:4222.`;

const EXAMPLES = `
Examples:
  $ trellis jobs list --service orders-service --state failed,dead
  $ trellis jobs get <id>
  $ trellis jobs trace <id>
  $ trellis jobs watch
  $ trellis jobs replay --service orders-service --error "card declined" --limit 500
  $ trellis jobs workers --service orders-service
${WHERE}
${EXIT_CODES_HELP}`;

/** The program throws every failure instead of ending the process. */
export function buildProgram(terminal: Terminal): Command {
  const program = new Command('trellis')
    .description('Inspect and control background jobs on NATS JetStream.')
    .addHelpText('after', EXAMPLES)
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.remark(text.trimEnd()),
    })
    .exitOverride();
  const jobs = program
    .command('jobs')
    .description('jobs of all services')
    .option('--nats <url>', 'NATS server(s), comma separated')
    .option('--json', 'JSON instead of tables: one document, for watch one per line')
    .addHelpText('after', EXAMPLES);
  const groups = [
    addList,
    addGet,
    addHistory,
    addTrace,
    addActions,
    addServices,
    addKey,
    addHealth,
    addWatch,
    addProvision,
  ];
  for (const add of groups) add(jobs, terminal);
  for (const command of jobs.commands) {
    command.option('--nats <url>', 'NATS server(s), comma separated').option('--json', 'JSON instead of a table');
  }
  return program;
}
