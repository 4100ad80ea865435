// How a batch changes the number of jobs with each error text.
/** By how much the number of jobs with each text changes, without zeros. */
export type ErrorDeltas = ReadonlyMap<string, number>;
