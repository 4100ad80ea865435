// From a statement of queries/ and the values of one question to the statement that somebody would write for just that
// question, so that the server plans it once and not for every question anew. What the statements are for is page-plan.ts.

/** A condition of its own line that a null parameter lets fall away, as in `and ($1::text is null or service = $1)`. */
const OPTIONAL = /^(\s*(?:where|and) )\(\$(\d+)::[a-z]+(?:\[\])? is null or (.*)\)$/gm;

/**
 * The statement with its optional conditions either in force or gone. Whole numbers (from 0) and booleans shape the plan and are
 * put in as they are; all else becomes a parameter.
 * @param values of $1 … $n of `text`; undefined is NULL
 * @param bound values that are bound already; those of this statement are added
 */
export function bindSql(text: string, values: readonly unknown[], bound: unknown[]): string {
  const at = (place: string) => values[Number(place) - 1] ?? null;
  const places = new Map<string, number>();
  return text
    .replace(/^--.*\n/gm, '')
    .replace(OPTIONAL, (_line, start: string, place: string, condition: string) =>
      at(place) === null ? `${start}true` : `${start}(${condition})`,
    )
    .replace(/\$(\d+)/g, (_parameter, place: string) => {
      const value = at(place);
      if (typeof value === 'boolean' || (Number.isSafeInteger(value) && Number(value) >= 0)) return String(value);
      const known = places.get(place) ?? bound.push(value);
      places.set(place, known);
      return `$${known}`;
    });
}
