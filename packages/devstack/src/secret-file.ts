// Passwords that are generated once and kept beside the data they protect.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/** The password in the file. Creates the file (mode 0600) with a random one if it is missing. */
export function passwordIn(file: string): string {
  try {
    const password = readFileSync(file, 'utf8').trim();
    if (password) return password;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = randomBytes(18).toString('hex');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}
