// Keeps V8's young generation small: next to nothing of a heartbeat outlives the next one, and a larger one would only hold
// more garbage. V8 has a flag for its limit, which counts at the start of a process alone; this one also holds later.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Enough for what thousands of heartbeats a second allocate from one collection to the next; V8 would go up to 128 MB. */
const LIMIT_BYTES = 32 * 2 ** 20;

/** Lets it double while it is small (V8 also shrinks it), and no further; to be called every second or so. */
export function boundYoungGeneration(): void {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  const mayGrow = space === undefined || space.space_size < LIMIT_BYTES;
  setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
}

/** V8 takes what is kept until the next heartbeat for something that stays, and makes it where only full collections look. */
export function expectNothingToStay(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
