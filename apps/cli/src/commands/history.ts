// `trellis jobs history`
import type { JobsClient } from '@trellis/client';
import { type HistoryReply, MAX_PAGE } from '@trellis/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { readOffset } from '../options/read-arguments.ts';
import { remarksOnHistory, showHistory } from '../show/history-timeline.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface HistoryOptions extends GlobalOptions {
  after?: number;
  limit: number;
}

const DEFAULT_LIMIT = 1_000;

const EXAMPLES = `
Every event of the job in the order of the stream, with the state after it. Events that changed nothing are shown with the reason.

Examples:
  $ trellis jobs history 01J9Z3V6Q4WXEHDM1T0ZP2R8KC
  $ trellis jobs history 01J9Z3V6Q4WXEHDM1T0ZP2R8KC --json | jq -r '.entries[].event.eventType'`;

export function addHistory(jobs: Command, terminal: Terminal): void {
  jobs
    .command('history')
    .description('what has happened to one job, event by event')
    .argument('<id>', 'id of the job')
    .option('--after <sequence>', 'only events after this sequence of the stream', readOffset)
    .option('--limit <n>', 'maximum number of events', readCount, DEFAULT_LIMIT)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { json, after, limit, ...options } = command.optsWithGlobals<HistoryOptions>();
      const history = await withClient(options, (client) => readHistory(client, id, after ?? 0, limit));
      if (json) return terminal.print(JSON.stringify(history));
      showHistory(history, terminal);
      for (const remark of remarksOnHistory(history)) terminal.remark(`\n${remark}`);
    });
}

/** Reads up to `limit` events, page by page. */
async function readHistory(client: JobsClient, id: string, after: number, limit: number): Promise<HistoryReply> {
  const page = await client.rpc.jobs.history({ id, after, limit: Math.min(limit, MAX_PAGE) });
  const left = limit - page.entries.length;
  if (page.nextAfter === undefined || left <= 0) return page;
  const rest = await readHistory(client, id, page.nextAfter, left);
  return { ...rest, entries: [...page.entries, ...rest.entries] };
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('expected a whole number of at least 1.');
}
