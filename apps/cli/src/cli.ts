// What every command shares: the connection, the output of failures, the exit code.
import { createClient, type JobsClient } from '@trellis/client';
import { FAULTS, Fault } from '@trellis/contracts';
import { ConfigError } from '@trellis/runtime';
import { CommanderError } from 'commander';
import { readConfig } from './config.ts';
import { EXIT } from './exit-codes.ts';
import { locateStack } from './locate-stack.ts';
import { plain, type Terminal } from './terminal/terminal.ts';

/** Options that every command has. */
export interface GlobalOptions {
  nats?: string;
  json?: boolean;
}

/** A failure with a given exit code. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: number;
  readonly details: Record<string, unknown>;

  constructor(exitCode: number, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** Runs `work` with a connected client and closes the client afterwards. */
export async function withClient<T>(options: GlobalOptions, work: (client: JobsClient) => Promise<T>): Promise<T> {
  const located = locateStack(options.nats, readConfig());
  await using client = await createClient({
    ...located,
    options: { name: 'trellis-cli', timeout: 3_000, ...located.options },
  }).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    throw new CliFailure(
      EXIT.unavailable,
      `${error.message}\nThe address is from ${located.source}. Is it running? npm start`,
    );
  });
  return await work(client);
}

/** Prints the error on standard error and returns the exit code. */
export function report(error: unknown, terminal: Terminal, json: boolean): number {
  // Commander has already printed the message. Help and version are not failures.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { exitCode, message, fields } = describe(error);
  if (json) terminal.remark(JSON.stringify({ error: { ...fields, message } }));
  else terminal.remark(`trellis: ${message.split('\n').map(plain).join('\n  ')}`);
  return exitCode;
}

function describe(error: unknown): { exitCode: number; message: string; fields: Record<string, unknown> } {
  if (error instanceof Fault) {
    const { code, type, details } = error;
    // For failures that the caller did not cause, operators need the trace id.
    const trace = FAULTS[code].retry && details.traceId !== undefined ? `\ntrace ${details.traceId}` : '';
    return {
      exitCode: FAULTS[code].exitCode,
      message: `${explain(error)}${trace}`,
      fields: { code, type, ...details },
    };
  }
  if (error instanceof CliFailure) return { exitCode: error.exitCode, message: error.message, fields: error.details };
  if (error instanceof ConfigError)
    return { exitCode: EXIT.usage, message: error.message, fields: { problems: error.problems } };
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT.unexpected, message, fields: {} };
}

/** The message, or the list of fields if several are wrong. */
function explain({ message, details }: Fault): string {
  const issues = details.context?.issues;
  if (!Array.isArray(issues) || issues.length < 2) return message;
  return ['the request is not valid:', ...issues.map((issue) => `${issue?.field ?? ''}: ${issue?.message ?? ''}`)].join(
    '\n',
  );
}
