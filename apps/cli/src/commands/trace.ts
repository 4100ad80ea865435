// `trellis jobs trace` and `trellis jobs logs`: the spans and log lines of a job.
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { selectLogs } from '../select/select-logs.ts';
import { logLine, remarksOnTrace, showWaterfall } from '../show/waterfall.ts';
import { plain, type Terminal } from '../terminal/terminal.ts';

interface TraceOptions extends GlobalOptions {
  logs: boolean;
}

interface LogsOptions extends GlobalOptions {
  own?: boolean;
}

const TRACE_EXAMPLES = `
Shows the request that created the job, its waits and attempts, the jobs that it created, and the log lines. If the span of an
attempt was lost, for instance because the worker was killed, the attempt is shown from the job's events.

Examples:
  $ trellis jobs trace 01J9Z3V6Q4WXEHDM1T0ZP2R8KC
  $ trellis jobs trace 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --no-logs
  $ trellis jobs trace 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --json | jq '.nodes[] | select(.status == "error")'`;

const LOGS_EXAMPLES = `
Examples:
  $ trellis jobs logs 01J9Z3V6Q4WXEHDM1T0ZP2R8KC          of the job and the jobs that it created
  $ trellis jobs logs 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --own    of this job alone
  $ trellis jobs logs 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --json | jq -r '.[].message'`;

export function addTrace(jobs: Command, terminal: Terminal): void {
  jobs
    .command('trace')
    .description('the spans of a job as a waterfall, with log lines')
    .argument('<id>', 'id of the job')
    .option('--no-logs', 'without log lines')
    .addHelpText('after', TRACE_EXAMPLES)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<TraceOptions>();
      const picture = await withClient(options, (client) => client.rpc.jobs.trace({ id }));
      if (options.json) return terminal.print(JSON.stringify(picture));
      showWaterfall(picture, terminal, { logs: options.logs });
      for (const remark of remarksOnTrace(picture)) terminal.remark(`\n${remark}`);
    });
  jobs
    .command('logs')
    .description('the log lines of a job and of the jobs that it created')
    .argument('<id>', 'id of the job')
    .option('--own', 'only those of this job')
    .addHelpText('after', LOGS_EXAMPLES)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<LogsOptions>();
      const picture = await withClient(options, (client) => client.rpc.jobs.trace({ id }));
      const logs = selectLogs(picture, options.own ?? false);
      if (options.json) return terminal.print(JSON.stringify(logs));
      for (const log of logs) {
        const service = terminal.style('dim', `${plain(log.service)}  `);
        terminal.print(
          service + logLine(log, terminal, (terminal.columns ?? Number.POSITIVE_INFINITY) - log.service.length - 2),
        );
      }
      if (logs.length === 0) terminal.print(terminal.style('dim', 'nothing was logged'));
      for (const remark of remarksOnTrace(picture)) terminal.remark(`\n${remark}`);
    });
}
