// Runs the statements of queries/read-*.sql and says plainly when the store cannot answer.
// What the statements are for is job-reader.ts.
import type { PreparedSql, Queryable, Row } from '../open-postgres.ts';
import { sqlFile } from '../sql-file.ts';

export type ReadQuery =
  | 'clock'
  | 'count'
  | 'detailed-errors'
  | 'detailed-page'
  | 'error-matches'
  | 'errors-page-newest'
  | 'errors-page-oldest'
  | 'errors-walk-newest'
  | 'errors-walk-oldest'
  | 'gone-workers'
  | 'janitor-duties'
  | 'jobs'
  | 'key-hashes'
  | 'near-page-newest'
  | 'near-page-oldest'
  | 'page-newest'
  | 'page-of-ids'
  | 'page-oldest'
  | 'pipelines'
  | 'quarantine-size'
  | 'queue-ages'
  | 'queue-depths'
  | 'services'
  | 'shown-jobs'
  | 'shown-page'
  | 'sliced-page-newest'
  | 'sliced-page-oldest'
  | 'workers';

/** The store does not answer now; the same question may be answered later. The message carries no address and no SQL. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** A statement made for one question. */
export interface BoundQuery {
  text: string;
  values: unknown[];
  /** Its plan may be kept, see page-plan.ts. */
  prepared: boolean;
}

/** Statements that a connection keeps at most: their texts differ in what is asked for, and in the size of pages. */
const MAX_PREPARED = 200;

const texts = new Map<ReadQuery, string>();
const prepared = new Map<string, PreparedSql>();

/** The text of `queries/read-<name>.sql`. */
export function textOf(name: ReadQuery): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = sqlFile(`read-${name}`);
  texts.set(name, text);
  return text;
}

/**
 * The rows of a statement that is always the same.
 * @throws {StoreUnavailable} when the store is down, has no tables yet, or took too long
 */
export function readRows<R extends Row>(store: Queryable, name: ReadQuery, values: unknown[]): Promise<R[]> {
  return readBound(store, { text: textOf(name), values, prepared: true });
}

/** The rows of a statement made for one question; throws as `readRows` does. */
export async function readBound<R extends Row>(store: Queryable, query: BoundQuery): Promise<R[]> {
  const statement = query.prepared ? preparedSql(query.text) : query.text;
  try {
    return (await store.query<R>(statement, query.values)).rows;
  } catch (error) {
    const why = whyUnavailable(error);
    if (why === undefined) throw error;
    throw new StoreUnavailable(why, { cause: error });
  }
}

/** The text with the name under which it is prepared; the text alone when there are too many already. */
function preparedSql(text: string): PreparedSql | string {
  const known = prepared.get(text);
  if (known !== undefined) return known;
  if (prepared.size >= MAX_PREPARED) return text;
  const statement = { name: `read ${prepared.size + 1}`, text };
  prepared.set(text, statement);
  return statement;
}

const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH']);

function whyUnavailable(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '57014') return 'the job store took too long to answer: narrow the filter, or page with a cursor';
  if (code === '42P01' || code === '3F000')
    return 'the job store has no tables yet: the projector makes them at its first start';
  // 08 connection, 28 authorization, 3D no such database, 53 out of resources, 57P shutdown or start of the server
  if (/^(08|28|3D|53|57P)/.test(code)) return 'the job store does not accept queries now';
  if (NETWORK.has(code)) return 'the job store cannot be reached';
  // pg reports these without any code.
  if (
    /connection terminated|timeout exceeded when trying to connect|query read timeout|client has encountered a connection error/i.test(
      error.message,
    )
  ) {
    return 'the connection to the job store was lost';
  }
  return undefined;
}
