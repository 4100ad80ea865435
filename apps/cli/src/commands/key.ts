// `trellis jobs key`
import type { Command } from 'commander';
import { type GlobalOptions, withClient } from '../cli.ts';
import { showKey } from '../show/key-status.ts';
import type { Terminal } from '../terminal/terminal.ts';

const EXAMPLES = `
Shows which jobs hold the key and which wait for it now. A holder whose lease has expired is marked stale.

Examples:
  $ trellis jobs key zendesk-sync sync-tickets zendesk:foo:tickets
  $ trellis jobs key zendesk-sync sync-tickets zendesk:foo:tickets --json | jq .heartbeatAgeMs`;

export function addKey(jobs: Command, terminal: Terminal): void {
  jobs
    .command('key')
    .description('a key of keyed concurrency: which jobs hold it, which wait, and why')
    .argument('<service>', 'the owner of the queue')
    .argument('<type>', 'the job type')
    .argument('<key>', 'the key as jobs show it')
    .addHelpText('after', EXAMPLES)
    .action(async (service: string, type: string, key: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const status = await withClient(options, (client) => client.rpc.jobs.getKey({ service, type, key }));
      if (options.json) terminal.print(JSON.stringify(status));
      else showKey(status, terminal);
    });
}
