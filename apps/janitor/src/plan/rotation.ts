// A slow walk over many jobs, a sample in each pass, that keeps what it found until it has completed a round again: so that a
// problem stays reported while the walk is elsewhere.
import type { JanitorRow, RowPlace } from '@trellis/store-postgres';
import { z } from 'zod';

/** Most ids that are kept and shown. */
const MAX_SHOWN = 20;

const Finds = z.object({ count: z.int(), jobs: z.array(z.string()) });
export type Finds = z.infer<typeof Finds>;

export const RotationState = z.object({
  after: z.object({ key: z.string(), id: z.string() }).optional(),
  /** Of the current round. */
  found: Finds,
  /** Of the last complete round. */
  before: Finds,
});
export type RotationState = z.infer<typeof RotationState>;

const none = (): Finds => ({ count: 0, jobs: [] });
export const NEW_ROTATION: RotationState = { found: none(), before: none() };

/** The rotation after a page of `limit` rows at most, of which `found` are to be reported. */
export function rotate(
  state: RotationState,
  page: readonly JanitorRow[],
  found: readonly string[],
  limit: number,
): RotationState {
  const sofar: Finds = {
    count: state.found.count + found.length,
    jobs: [...state.found.jobs, ...found].slice(0, MAX_SHOWN),
  };
  const last = page.at(-1);
  if (!last || page.length < limit) return { found: none(), before: sofar };
  return { after: { key: last.createdAt, id: last.id } satisfies RowPlace<string>, found: sofar, before: state.before };
}

/** What is to be reported now: the last whole round, or more if the present one has found more. */
export const reported = ({ found, before }: RotationState): Finds => (found.count > before.count ? found : before);
