// How a batch changes the number of jobs with each error text.

/** Error text → change of the number of jobs that have it; without zeros. */
export type ErrorDeltas = ReadonlyMap<string, number>;
