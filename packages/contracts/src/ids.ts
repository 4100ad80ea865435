// Ids that sort by time (ULIDs), and random ones. The ULID library asks the operating system for each of the sixteen random
// characters, which costs more than the rest of a publish: here random bytes come from a pool.
import { randomFillSync } from 'node:crypto';
import { hostname } from 'node:os';
import { encodeTime } from 'ulid';

const pool = Buffer.alloc(8_192);
let used = pool.length;

/** Where the next `bytes` random bytes begin in the pool. */
function draw(bytes: number): number {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return used - bytes;
}

/** `bytes` random bytes in lower-case hexadecimal; 16 at most. */
export function randomHex(bytes: number): string {
  const from = draw(bytes);
  return pool.toString('hex', from, from + bytes);
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Random digits of a ULID, five bits each. */
const RANDOM_DIGITS = 16;
const TIME_DIGITS = 10;
const digits = Buffer.alloc(RANDOM_DIGITS);
let time = { ms: 0, text: '' };

/** A new ULID, 26 characters. */
export function newId(): string {
  const ms = Date.now();
  if (ms !== time.ms) time = { ms, text: encodeTime(ms, TIME_DIGITS) };
  const from = draw(RANDOM_DIGITS);
  for (let i = 0; i < RANDOM_DIGITS; i++) digits[i] = ALPHABET.charCodeAt((pool[from + i] ?? 0) & 31);
  return time.text + digits.toString('latin1');
}

/** Host, process and a random part: no two processes share it, also across restarts. */
export const newInstanceId = (): string =>
  `${hostname().replace(/[^A-Za-z0-9_-]/g, '-')}-${process.pid}-${newId().slice(-6).toLowerCase()}`;

/** Name under which a process appears in the connection lists of NATS and Postgres. */
export const connectionName = (component: string, instanceId: string): string => `trellis-${component} ${instanceId}`;
