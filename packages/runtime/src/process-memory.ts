// Keeps what a process holds resident near what it needs. V8 lets garbage lie for as long as memory seems to be plenty, and
// its limits count at the start of a process alone; the flags set here hold later, too.
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { abortable } from './waiting.ts';

/** Lets the heap grow by so much over what was alive at the last full collection, then there is another one. */
export function boundHeapGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

/**
 * Keeps the young generation within a limit: it may double while it is below half of it, and no further. V8 makes it smaller by
 * itself. Cheap; to be called again and again while there is work.
 */
export function boundYoungGeneration(limitBytes: number): void {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  const mayDouble = space === undefined || 2 * space.space_size <= limitBytes;
  setFlagsFromString(`--semi-space-growth-factor=${mayDouble ? 2 : 1}`);
}

/** V8 takes what is kept from one message to the next for something that stays, and makes it where only full collections look. */
export function expectNothingToStay(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

const LOOK_MS = 2_000;
/** Less allocated between two looks is no work worth speaking of. */
const QUIET_BYTES = 1024 * 1024;
/** Less held beyond what is used is not worth a collection, which takes a tenth of a second. */
const WORTHWHILE_BYTES = 12 * 1024 * 1024;

/** Collects all garbage once after work has come to an end, and gives its memory back; until `signal` aborts. */
export async function collectWhenQuiet(signal: AbortSignal, lookMs = LOOK_MS): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  let usedBefore = Number.NaN;
  let heldAfter = 0;
  while (!signal.aborted) {
    await abortable(signal, lookMs);
    const { used_heap_size: used, total_heap_size, external_memory } = getHeapStatistics();
    const isQuiet = Math.abs(used - usedBefore) < QUIET_BYTES;
    const held = total_heap_size + external_memory;
    usedBefore = used;
    if (!isQuiet || held - heldAfter < WORTHWHILE_BYTES) continue;
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    const left = getHeapStatistics();
    heldAfter = left.total_heap_size + left.external_memory;
    usedBefore = left.used_heap_size;
  }
}
