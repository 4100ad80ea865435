// The opaque place in a list where the next page begins. It holds the last job's createdAt and id, so that jobs
// created meanwhile neither shift nor double a page.
import { z } from 'zod';

export interface Cursor {
  order: 'newest' | 'oldest';
  createdAt: string;
  id: string;
  /** Entries passed so far. */
  passed: number;
}

const Packed = z.tuple([z.enum(['newest', 'oldest']), z.iso.datetime(), z.string().min(1), z.int().min(0)]);

export const encodeCursor = ({ order, createdAt, id, passed }: Cursor): string =>
  Buffer.from(JSON.stringify([order, createdAt, id, passed])).toString('base64url');

/** The cursor in a text; undefined when it is not one of this gateway's. */
export function decodeCursor(text: string): Cursor | undefined {
  let packed: unknown;
  try {
    packed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = Packed.safeParse(packed);
  if (!parsed.success) return undefined;
  const [order, createdAt, id, passed] = parsed.data;
  return { order, createdAt, id, passed };
}
