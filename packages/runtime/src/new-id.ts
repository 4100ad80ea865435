// Ids that sort by time (ULIDs), and random ones. The ULID library asks the operating system for each of an id's sixteen
// random characters, which costs more than the rest of a publish: random bytes are drawn in large pieces here.
import { randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';

const pool = Buffer.alloc(8_192);
let used = pool.length;

function random(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] ?? 0) / 256;
}

/** `bytes` random bytes in lower-case hexadecimal; 16 at most. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}

/** A new ULID, 26 characters. */
export const newId = (): string => ulid(undefined, random);
