// Passwords that are made once and kept beside the data they protect.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/** The password in the file; a new random one (letters and digits, mode 0600) when there is no such file. */
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
