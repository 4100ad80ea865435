// Compares a row of an answer with the expected row, whose cells may be ranges or one of several values.

/** A cell with any value within bounds: a quantile from a sketch, an age. */
export class Between {
  readonly low: number;
  readonly high: number;
  constructor(low: number, high: number) {
    this.low = low;
    this.high = high;
  }
}

/** A cell with any of several values. */
export class OneOf {
  readonly values: readonly unknown[];
  constructor(values: readonly unknown[]) {
    this.values = values;
  }
}

export type Cell = string | number | null | Between | OneOf | readonly Cell[];

export type Row = Record<string, Cell>;

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** Whether a row from ClickHouse equals the expected one. */
export function matches(row: Record<string, unknown>, expected: Row | undefined): boolean {
  if (expected === undefined) return false;
  const names = Object.keys(expected);
  return Object.keys(row).length === names.length && names.every((name) => cellMatches(row[name], expected[name]));
}

function cellMatches(found: unknown, expected: Cell | undefined): boolean {
  if (expected instanceof Between) return Number(found) >= expected.low && Number(found) <= expected.high;
  if (expected instanceof OneOf) return expected.values.includes(found);
  if (Array.isArray(expected)) {
    return Array.isArray(found) && expected.every((cell, index) => cellMatches(found[index], cell as Cell));
  }
  if (typeof expected === 'number') {
    return typeof found === 'number' && Math.abs(found - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
  }
  if (typeof found === 'string' && typeof expected === 'string' && INSTANT.test(expected)) {
    return Date.parse(found) === Date.parse(expected);
  }
  return found === expected;
}
