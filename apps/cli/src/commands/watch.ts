// `trellis jobs watch`
import { JobId, type JobState, JobType, ServiceName } from '@trellis/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { type GlobalOptions, withClient } from '../cli.ts';
import { readSince, readStates } from '../options/read-arguments.ts';
import { watchEvents } from '../select/watch-events.ts';
import { eventLines } from '../show/event-line.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface WatchOptions extends GlobalOptions {
  service?: string;
  type?: string;
  state?: JobState[];
  since?: string;
}

const EXAMPLES = `
Runs until Ctrl-C. With a job id it shows the job's events so far and those to come, and ends when the job has ended.

Examples:
  $ trellis jobs watch
  $ trellis jobs watch --service orders-service --state failed,dead
  $ trellis jobs watch 01J9Z3V6Q4WXEHDM1T0ZP2R8KC
  $ trellis jobs watch --since 10m --json | jq -r 'select(.event.eventType == "retry") | .event.error'`;

export function addWatch(jobs: Command, terminal: Terminal): void {
  jobs
    .command('watch')
    .description('lifecycle events as they happen')
    .argument('[id]', 'only of this job', token(JobId))
    .option('--service <name>', 'only of this service', token(ServiceName))
    .option('--type <name>', 'only of this job type', token(JobType))
    .option('--state <state>', 'only events that lead to this state; repeat it or use commas', readStates)
    .option('--since <time>', 'start with events since then: 10m, 2h or an RFC 3339 time', (text) => readSince(text))
    .addHelpText('after', EXAMPLES)
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const { json, service, type, state, since, ...options } = command.optsWithGlobals<WatchOptions>();
      const lineOf = eventLines(terminal);
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
      await withClient(options, async ({ connection }) => {
        for await (const stored of watchEvents(connection, { id, service, type, since, signal: stop.signal })) {
          if (state !== undefined && !state.includes(stored.event.state)) continue;
          terminal.print(json ? JSON.stringify(stored) : lineOf(stored));
        }
      });
    });
}

const token = (schema: z.ZodType<string>) => (text: string) => {
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error.issues[0]?.message}.`);
};
