// Asks for confirmation before an action. Without a terminal, only --yes confirms.
import { CliFailure } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface Confirmation {
  /** Name of the command, for the message. */
  command: string;
  /** Whether --yes was given. */
  yes: boolean | undefined;
}

/** @throws {CliFailure} usage, if there is no terminal and --yes was not given */
export function mustBeAnswerable({ command, yes }: Confirmation, terminal: Terminal): void {
  if (yes || terminal.interactive) return;
  throw new CliFailure(
    EXIT.usage,
    `${command} asks before it acts, and there is no terminal to ask on; add --yes to act without asking`,
    { code: 'confirmation-needed' },
  );
}

/** @throws {CliFailure} declined, usage */
export async function confirm(question: string, confirmation: Confirmation, terminal: Terminal): Promise<void> {
  if (confirmation.yes) return;
  mustBeAnswerable(confirmation, terminal);
  const answer = await terminal.ask(`${question} [y/N] `);
  if (/^(y|yes)$/i.test(answer.trim())) return;
  throw new CliFailure(EXIT.declined, 'nothing was done', { code: 'declined' });
}
