// Compares two results of one query row by row and value by value, whatever the columns are called.
// Percentiles are estimates, so numbers may differ by 1 %.
const TOLERANCE = 0.01;

export type AnswerRow = Record<string, unknown>;

/** Describes the first difference; undefined if there is none. */
export function firstDifference(ours: readonly AnswerRow[], raw: readonly AnswerRow[]): string | undefined {
  if (ours.length !== raw.length) return `${ours.length} rows and ${raw.length}`;
  for (const [index, row] of ours.entries()) {
    const [a, b] = [valuesOf(row), valuesOf(raw[index] ?? {})];
    if (a.length !== b.length || a.some((value, place) => !alike(value, b[place])))
      return `row ${index + 1}: ${JSON.stringify(row)} and ${JSON.stringify(raw[index])}`;
  }
  return undefined;
}

const valuesOf = (row: AnswerRow): unknown[] => Object.values(row).flat();

function alike(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y));
}
