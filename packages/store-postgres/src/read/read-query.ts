// Runs the statements of queries/read/ and throws `StoreUnavailable` when the store cannot answer now.
import type { PreparedSql, Queryable, Row } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';

/** Statements of queries/read/page/. */
const PAGE_QUERIES = [
  'detailed-errors',
  'detailed-page',
  'errors-page-newest',
  'errors-page-oldest',
  'errors-walk-newest',
  'errors-walk-oldest',
  'near-page-newest',
  'near-page-oldest',
  'page-newest',
  'page-of-ids',
  'page-oldest',
  'shown-page',
  'sliced-page-newest',
  'sliced-page-oldest',
] as const;
type PageQuery = (typeof PAGE_QUERIES)[number];

/** Statements of queries/read/. */
type OtherQuery =
  | 'clock'
  | 'count'
  | 'error-matches'
  | 'gone-workers'
  | 'janitor-duties'
  | 'jobs'
  | 'key-hashes'
  | 'pipelines'
  | 'quarantine-size'
  | 'queue-ages'
  | 'queue-depths'
  | 'services'
  | 'shown-jobs'
  | 'workers';

export type ReadQuery = PageQuery | OtherQuery;

const isPageQuery = (name: ReadQuery): boolean => (PAGE_QUERIES as readonly string[]).includes(name);

/** The store cannot answer now; the same request may succeed later. The message has no address and no SQL. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** A statement built for one request. */
export interface BoundQuery {
  text: string;
  values: unknown[];
  /** The server may keep its plan, see page-plan.ts. */
  prepared: boolean;
}

/** Most prepared statements of a connection: the texts differ by filter and page size. */
const MAX_PREPARED = 200;

const texts = new Map<ReadQuery, string>();
const prepared = new Map<string, PreparedSql>();

/** The text of a read statement. */
export function textOf(name: ReadQuery): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = sqlFile(isPageQuery(name) ? `read/page/${name}` : `read/${name}`);
  texts.set(name, text);
  return text;
}

/**
 * The rows of a statement whose text is fixed.
 * @throws {StoreUnavailable} when the store is down, has no tables yet, or took too long
 */
export function readRows<R extends Row>(store: Queryable, name: ReadQuery, values: unknown[]): Promise<R[]> {
  return readBound(store, { text: textOf(name), values, prepared: true });
}

/** The rows of a statement built for one request; throws like `readRows`. */
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

/** The text with the name of its prepared statement; the text alone when `MAX_PREPARED` is reached. */
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
    return 'the job store has no tables yet: the projector creates them at its first start';
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
