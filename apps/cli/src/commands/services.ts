// `trellis jobs services` and `trellis jobs workers`: presence of workers, and services whose jobs have no worker.
import type { JobsClient } from '@trellis/client';
import { MAX_PAGE, type ServiceEntry } from '@trellis/contracts';
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { showServices, showWorkers } from '../show/presence-tables.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface WorkersOptions extends GlobalOptions {
  service?: string;
  type?: string;
  gone?: boolean;
}

const SERVICES_EXAMPLES = `
A service is healthy while at least one of its workers is live. A service without workers stays listed until its workers
are forgotten, or, if it never had any, while jobs wait for it.

Examples:
  $ trellis jobs services
  $ trellis jobs services --json | jq -r '.entries[] | select(.healthy | not) | .name'`;

const WORKERS_EXAMPLES = `
Workers report their presence every few seconds. It is for information only: no job depends on it.

Examples:
  $ trellis jobs workers --service orders-service
  $ trellis jobs workers --service orders-service --type charge-payment --gone`;

export function addServices(jobs: Command, terminal: Terminal): void {
  jobs
    .command('services')
    .description('services, their health and how many workers they have')
    .addHelpText('after', SERVICES_EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const all = await withClient(options, allServices);
      if (options.json) terminal.print(JSON.stringify(all));
      else showServices(all, terminal);
    });
  jobs
    .command('workers')
    .description('workers that are live or late, and their jobs')
    .option('--service <name>', 'only of this service')
    .option('--type <name>', 'only of this job type')
    .option('--gone', 'also workers that are gone')
    .addHelpText('after', WORKERS_EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<WorkersOptions>();
      const { entries, presenceAsOf } = await withClient(options, allServices);
      const workers = entries
        .filter(({ name }) => options.service === undefined || name === options.service)
        .flatMap((entry) => entry.workers)
        .filter(({ jobType }) => options.type === undefined || jobType === options.type);
      const shown = options.gone ? workers : workers.filter(({ status }) => status !== 'gone');
      if (options.json) terminal.print(JSON.stringify({ workers: shown, presenceAsOf }));
      else showWorkers({ workers: shown, hidden: workers.length - shown.length, presenceAsOf }, terminal);
    });
}

interface AllServices {
  entries: ServiceEntry[];
  count: number;
  /** When presence was last updated; undefined if it never was. */
  presenceAsOf: string | undefined;
}

async function allServices(client: JobsClient): Promise<AllServices> {
  const entries: ServiceEntry[] = [];
  let presenceAsOf: string | undefined;
  let offset: number | undefined = 0;
  while (offset !== undefined) {
    const page = await client.rpc.jobs.listServices({ offset, limit: MAX_PAGE });
    entries.push(...page.entries);
    if (typeof page.presenceAsOf === 'string') presenceAsOf = page.presenceAsOf;
    offset = page.nextOffset;
  }
  return { entries, count: entries.length, presenceAsOf };
}
