// Specialises a statement of queries/ for the values of one request: removes unused conditions, so that the server keeps one
// plan for each kind of request. page-plan.ts chooses the statements.
import { JOB_STATES } from '@trellis/contracts';

/** A condition on its own line that a null parameter removes, as in `and ($1::text is null or service = $1)`. */
const OPTIONAL = /^(\s*(?:where|and) )\(\$(\d+)::[a-z]+(?:\[\])? is null or (.*)\)$/gm;

const STATES: ReadonlySet<unknown> = new Set(JOB_STATES);

/** SQL text, or the number of a parameter. */
type Piece = string | number;
interface Optional {
  start: string;
  /** The parameter whose null removes the condition. */
  needs: number;
  condition: Piece[];
}

/** Parsed statements by text; at most one for each file. */
const parsed = new Map<string, (Piece | Optional)[]>();

/**
 * Returns the statement with each optional condition kept or removed. Values that shape the plan become literals: whole
 * numbers from 0, booleans, and a single state, alone or in a list. The numbers of jobs in each state differ so much that the
 * server would keep no plan that fits all states. All other values become parameters.
 * @param values of $1 … $n of `text`; undefined is NULL
 * @param bound values bound so far; this function appends those of this statement
 */
export function bindSql(text: string, values: readonly unknown[], bound: unknown[]): string {
  const at = (parameter: number) => values[parameter - 1] ?? null;
  const places = new Map<number, number>();
  const write = (piece: Piece): string => {
    if (typeof piece === 'string') return piece;
    const value = at(piece);
    const literal = literalOf(value);
    if (literal !== undefined) return literal;
    const place = places.get(piece) ?? bound.push(value);
    places.set(piece, place);
    return `$${place}`;
  };
  let sql = '';
  for (const piece of piecesOf(text)) {
    if (typeof piece !== 'object') sql += write(piece);
    else if (at(piece.needs) === null) sql += `${piece.start}true`;
    else sql += `${piece.start}(${piece.condition.map(write).join('')})`;
  }
  return sql;
}

function piecesOf(text: string): (Piece | Optional)[] {
  const found = parsed.get(text);
  if (found) return found;
  const sql = text.replace(/^--.*\n/gm, '');
  const pieces: (Piece | Optional)[] = [];
  let from = 0;
  for (const { 0: line, 1: start = '', 2: needs, 3: condition = '', index } of sql.matchAll(OPTIONAL)) {
    pieces.push(...splitAtParameters(sql.slice(from, index)));
    pieces.push({ start, needs: Number(needs), condition: splitAtParameters(condition) });
    from = index + line.length;
  }
  pieces.push(...splitAtParameters(sql.slice(from)));
  parsed.set(text, pieces);
  return pieces;
}

/** Every second piece is a parameter. */
const splitAtParameters = (sql: string): Piece[] =>
  sql.split(/\$(\d+)/).map((piece, index) => (index % 2 === 0 ? piece : Number(piece)));

function literalOf(value: unknown): string | undefined {
  if (typeof value === 'boolean' || (Number.isSafeInteger(value) && Number(value) >= 0)) return String(value);
  if (STATES.has(value)) return `'${value}'`;
  return Array.isArray(value) && value.length === 1 && STATES.has(value[0]) ? `'{${value[0]}}'` : undefined;
}
