// `trellis jobs provision`
import { Fault } from '@trellis/contracts';
import { type Provisioned, provision, TopologyMismatch } from '@trellis/nats';
import { type Command, InvalidArgumentError } from 'commander';
import { CliFailure, type GlobalOptions, withClient } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { columns } from '../show/columns.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface ProvisionOptions extends GlobalOptions {
  replicas?: number;
  migrate?: boolean;
}

const EXAMPLES = `
Creates the missing streams and compares the existing ones. It never changes a stream that differs: it shows the difference
and ends with exit code 6. Every component does the same when it starts.

Examples:
  $ trellis jobs provision
  $ trellis jobs provision --replicas 3        on a cluster of three servers
  $ trellis jobs provision --migrate           an older JOBS stream that still stores heartbeats`;

export function addProvision(jobs: Command, terminal: Terminal): void {
  jobs
    .command('provision')
    .description('create the streams, or show how existing ones differ')
    .option('--replicas <n>', 'replicas of the streams to create: 1, 3 or 5', readReplicas)
    .option('--migrate', 'move a JOBS stream that still stores heartbeats')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, command: Command) => {
      const { json, replicas, migrate, ...options } = command.optsWithGlobals<ProvisionOptions>();
      const done = await withClient(options, ({ connection }) =>
        provision(connection, { replicas, migrate }).catch(explain),
      );
      if (json) terminal.print(JSON.stringify({ streams: done }));
      else terminal.print(columns(done.map((one) => row(one, terminal))));
    });
}

function row({ stream, action, note }: Provisioned, { style }: Terminal): string[] {
  return [stream, action === 'created' || action === 'migrated' ? style('green', action) : action, note ?? ''];
}

function explain(error: unknown): never {
  if (error instanceof TopologyMismatch) {
    throw new CliFailure(EXIT.topology, error.message, { code: 'topology-mismatch', differences: error.differences });
  }
  if (error instanceof Error && error.name === 'JetStreamNotEnabled') {
    throw new Fault('unavailable', 'JetStream is not enabled on this server or for this account', {}, { cause: error });
  }
  throw error;
}

function readReplicas(text: string): number {
  if (/^[1-5]$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number from 1 to 5.');
}
