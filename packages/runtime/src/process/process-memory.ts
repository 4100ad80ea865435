// Keeps what a process holds resident near what it needs. V8 lets garbage lie for as long as memory seems to be plenty, and
// its limits count at the start of a process alone; the flags set here hold later, too.
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sleep } from '@trellis/async';

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

/**
 * Collects what loading the modules has left behind. The young generation has grown to its greatest size by then, and only a
 * collection that gives memory back makes it small again; it stays so until `boundYoungGeneration` lets it grow.
 */
export function collectAtStart(): void {
  collector()();
  setFlagsFromString('--semi-space-growth-factor=1');
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  return () => collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

const LOOK_MS = 2_000;
/** Less processor time between two looks is no work worth speaking of, as a share of one core. */
const QUIET_SHARE = 0.01;
/** Less held beyond what is used is not worth a collection, which takes a tenth of a second. */
const WORTHWHILE_BYTES = 12 * 1024 * 1024;

/**
 * Collects all garbage once after work has come to an end, and gives its memory back; until `signal` aborts. The process stands
 * still for as long as that takes. The size of the heap does not tell whether there is work: it goes up and down, and now and
 * then it is the same again.
 */
export async function collectWhenQuiet(signal: AbortSignal, lookMs = LOOK_MS): Promise<void> {
  const collect = collector();
  let heldAfter = 0;
  while (!signal.aborted) {
    const before = process.cpuUsage();
    await sleep(lookMs, signal);
    const { user, system } = process.cpuUsage(before);
    const isQuiet = user + system < QUIET_SHARE * 1_000 * lookMs;
    if (signal.aborted || !isQuiet || heldBytes() - heldAfter < WORTHWHILE_BYTES) continue;
    collect();
    heldAfter = heldBytes();
  }
}

function heldBytes(): number {
  const { total_heap_size, external_memory } = getHeapStatistics();
  return total_heap_size + external_memory;
}
