// The measured queries of operators. Each has a request to the gateway and the best SQL for the same result: the page and the
// number of matches, counted no further than the gateway counts.
import type { JobsClient } from '@trellis/client';
import type { RpcRequest } from '@trellis/contracts';
import type { Queryable } from '@trellis/store-postgres';
import { mixed } from '../order-payload.ts';

const PAGE = 50;
/** Number of jobs that queries refer to. */
const SAMPLES = 2_000;
/** Columns of a list. */
const COLUMNS = `id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate, created_at,
  updated_at, started_at, completed_at, deadline, cancel_requested_at, last_error, instance_id, progress, concurrency,
  queue_policy, head_missing, payload, state = 'active' and exists (
    select from workers
    where workers.service = jobs.service and workers.type = jobs.type and workers.instance_id = jobs.instance_id
      and status = 'gone'
  ) as worker_lost`;
/** Additional columns of `Get`. */
const BODIES = `result, (
  select json_agg(json_build_object('timestamp', logged_at, 'level', level, 'message', message) order by sequence, line)
  from (select * from job_logs where job_id = jobs.id order by sequence desc, line desc limit 1000) as newest
) as logs`;

export interface ListQuery {
  name: string;
  /** Calls the gateway; `turn` varies the arguments. */
  ask: (client: JobsClient, turn: number) => Promise<unknown>;
  sql: string;
  values: (turn: number) => unknown[];
}

/** Values that exist in the table, for queries that refer to them. */
export interface Samples {
  ids: string[];
  traceIds: string[];
  keys: string[];
  /** `nextCursor` after the first half of all jobs, and the position that it encodes. */
  halfway: { cursor: string; createdAt: string; id: string };
}

/** Number of matches, for filters that the counters cover. */
const counted = (where: string) => `select sum(count)::bigint from job_counts where ${where}`;
/** Number of matches, for other filters. */
const matching = (where: string) => `select count(*) from (select from jobs where ${where} limit 10001) as matches`;

const page = (where: string, count: string, limit = PAGE) =>
  `select (${count}) as count, ${COLUMNS} from jobs where ${where} order by created_at desc, id desc limit ${limit}`;

/** The matching errors as `errors`. The subqueries let the server reuse the plan for any text. */
const byErrors = (sql: string) =>
  `with errors as materialized (select count from job_errors where lowered like (select lower($1))) ${sql}`;

export function listQueries({ ids, traceIds, keys, halfway }: Samples): ListQuery[] {
  const one = <T>(of: readonly T[], turn: number): T => of[mixed(turn) % of.length] as T;
  const list = (
    name: string,
    request: (turn: number) => Omit<RpcRequest<'Jobs.List'>, 'limit'>,
    [where, count]: [where: string, count: string],
    values: ListQuery['values'] = () => [],
  ): ListQuery => ({
    name,
    ask: (client, turn) => client.rpc.jobs.list({ limit: PAGE, ...request(turn) }),
    sql: page(where, count),
    values,
  });
  const byCounters = (where: string): [string, string] => [where, counted(where)];
  const byDetail = (where: string): [string, string] => [where, matching(where)];
  const type = (turn: number) => `type-${turn % 3}`;
  const key = (turn: number) => one(keys, turn);
  const ended = `service = 'billing' and state in ('failed', 'dead')`;
  return [
    {
      name: 'Get',
      ask: (client, turn) => client.rpc.jobs.get({ id: one(ids, turn) }),
      sql: `select ${COLUMNS}, ${BODIES} from jobs where id = $1`,
      values: (turn) => [one(ids, turn)],
    },
    list('List', () => ({}), byCounters('true')),
    list(
      'List by service and type',
      (turn) => ({ service: 'billing', type: type(turn) }),
      byCounters('service = $1 and type = $2'),
      (turn) => ['billing', type(turn)],
    ),
    list('List by a rare state', () => ({ state: ['dead'] }), byCounters(`state = 'dead'`)),
    list('List by a common state', () => ({ state: ['completed'] }), byCounters(`state = 'completed'`)),
    list(
      'List by trace',
      (turn) => ({ traceId: one(traceIds, turn) }),
      byDetail('trace_id = $1'),
      (turn) => [one(traceIds, turn)],
    ),
    list(
      'List by key',
      (turn) => ({ key: key(turn) }),
      byDetail(`concurrency is not null and concurrency ->> 'key' = $1`),
      (turn) => [key(turn)],
    ),
    {
      name: 'List by error text',
      ask: (client, turn) => client.rpc.jobs.list({ search: `said 50${turn % 10}`, limit: PAGE }),
      sql: byErrors(
        page('last_error ilike (select $1) and exists (select from errors)', 'select sum(count)::bigint from errors'),
      ),
      values: (turn) => [`%said 50${turn % 10}%`],
    },
    list(
      'List from half-way',
      () => ({ cursor: halfway.cursor }),
      ['(created_at, id) < ($1, $2)', counted('true')],
      () => [halfway.createdAt, halfway.id],
    ),
    {
      name: 'counts',
      ask: (client) => client.rpc.jobs.list({ service: 'billing', state: ['failed', 'dead'], limit: 1 }),
      sql: page(ended, counted(ended), 1),
      values: () => [],
    },
  ];
}

/** Finds the values that the queries refer to. */
export async function readSamples(postgres: Queryable, client: JobsClient): Promise<Samples> {
  const { count } = await client.rpc.jobs.list({ limit: 1 });
  const { rows } = await postgres.query<{ id: string; trace_id: string; key: string | null }>(
    `select id, trace_id, concurrency ->> 'key' as key from jobs tablesample bernoulli (least(100, 100.0 * $2 / $1))`,
    [count, SAMPLES],
  );
  const offset = Math.floor(count / 2) - 1;
  const { nextCursor: cursor, entries } = await client.rpc.jobs.list({ offset, limit: 1 }, { timeoutMs: 60_000 });
  const [last] = entries;
  if (!cursor || !last) throw new Error('the table has no second half');
  return {
    ids: rows.map((row) => row.id),
    traceIds: rows.map((row) => row.trace_id),
    keys: rows.flatMap(({ key }) => (key === null ? [] : [key])),
    halfway: { cursor, createdAt: last.createdAt, id: last.id },
  };
}
