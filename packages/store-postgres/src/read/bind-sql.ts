// From a statement of queries/ and the values of one question to the statement that somebody would write for just that
// question, so that the server plans it once and not for every question anew. What the statements are for is page-plan.ts.
import { JOB_STATES } from '@trellis/contracts';

/** A condition of its own line that a null parameter lets fall away, as in `and ($1::text is null or service = $1)`. */
const OPTIONAL = /^(\s*(?:where|and) )\(\$(\d+)::[a-z]+(?:\[\])? is null or (.*)\)$/gm;

const STATES: ReadonlySet<unknown> = new Set(JOB_STATES);

/**
 * The statement with its optional conditions either in force or gone. What shapes the plan is put in as it is: whole numbers (from
 * 0), booleans, and one state, alone or in a list, because states differ so much in their number that the server would not keep a plan for
 * any of them. All else becomes a parameter.
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
      const literal = literalOf(value);
      if (literal !== undefined) return literal;
      const known = places.get(place) ?? bound.push(value);
      places.set(place, known);
      return `$${known}`;
    });
}

function literalOf(value: unknown): string | undefined {
  if (typeof value === 'boolean' || (Number.isSafeInteger(value) && Number(value) >= 0)) return String(value);
  if (STATES.has(value)) return `'${value}'`;
  return Array.isArray(value) && value.length === 1 && STATES.has(value[0]) ? `'{${value[0]}}'` : undefined;
}
