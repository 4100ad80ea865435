// Asks before something is done that cannot be taken back. Where nobody can be asked, only --yes is an answer.
import { CliFailure } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface Asked {
  /** The command, for the message. */
  command: string;
  /** --yes was given. */
  yes: boolean | undefined;
}

/** @throws {CliFailure} usage, when nobody can be asked and --yes was not given */
export function mustBeAnswerable({ command, yes }: Asked, terminal: Terminal): void {
  if (yes || terminal.interactive) return;
  throw new CliFailure(
    EXIT.usage,
    `${command} asks before it acts, and there is no terminal to ask on; add --yes to act without asking`,
    { code: 'confirmation-needed' },
  );
}

/** @throws {CliFailure} declined, usage */
export async function confirm(question: string, asked: Asked, terminal: Terminal): Promise<void> {
  if (asked.yes) return;
  mustBeAnswerable(asked, terminal);
  const answer = await terminal.ask(`${question} [y/N] `);
  if (/^(y|yes)$/i.test(answer.trim())) return;
  throw new CliFailure(EXIT.declined, 'nothing was done', { code: 'declined' });
}
