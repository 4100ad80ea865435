// Specialises a statement of queries/ for the values of one request: unused conditions are removed, so that the server keeps
// one plan for each kind of request. page-plan.ts chooses the statements.
import { JOB_STATES } from '@trellis/contracts';

/** A condition of its own line that a null parameter lets fall away, as in `and ($1::text is null or service = $1)`. */
const OPTIONAL = /^(\s*(?:where|and) )\(\$(\d+)::[a-z]+(?:\[\])? is null or (.*)\)$/gm;

const STATES: ReadonlySet<unknown> = new Set(JOB_STATES);

/** Text, or the number of a parameter. */
type Piece = string | number;
interface Optional {
  start: string;
  /** The parameter without which the condition falls away. */
  needs: number;
  condition: Piece[];
}

/** Statements that were taken apart: there are as many as files. */
const known = new Map<string, (Piece | Optional)[]>();

/**
 * The statement with its optional conditions either in force or gone. What shapes the plan is put in as it is: whole numbers (from
 * 0), booleans, and one state, alone or in a list, because states differ so much in their number that the server would not keep a plan for
 * any of them. All else becomes a parameter.
 * @param values of $1 … $n of `text`; undefined is NULL
 * @param bound values that are bound already; those of this statement are added
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
  const found = known.get(text);
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
  known.set(text, pieces);
  return pieces;
}

/** Every other piece is a parameter. */
const splitAtParameters = (sql: string): Piece[] =>
  sql.split(/\$(\d+)/).map((piece, index) => (index % 2 === 0 ? piece : Number(piece)));

function literalOf(value: unknown): string | undefined {
  if (typeof value === 'boolean' || (Number.isSafeInteger(value) && Number(value) >= 0)) return String(value);
  if (STATES.has(value)) return `'${value}'`;
  return Array.isArray(value) && value.length === 1 && STATES.has(value[0]) ? `'{${value[0]}}'` : undefined;
}
