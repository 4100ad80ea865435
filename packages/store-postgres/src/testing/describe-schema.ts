// Describes the tables of a schema in a comparable form: columns, constraints, indexes, comments, settings.
import type { Postgres } from '../connection/open-postgres.ts';

const LINES = `
  select c.relname as table, 0 as part, 'table ' || c.relname || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')
         || coalesce(E'\n  comment ' || quote_literal(obj_description(c.oid, 'pg_class')), '') as line
  from pg_class c where c.relnamespace = $1::text::regnamespace and c.relkind = 'r'
  union all
  select c.relname, a.attnum, '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
         || case when a.attnotnull then ' not null' else '' end
         || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relnamespace = $1::text::regnamespace and c.relkind = 'r'
  union all
  select c.relname, 10000, '  constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
  from pg_constraint k join pg_class c on c.oid = k.conrelid
  where k.connamespace = $1::text::regnamespace and k.contype <> 'n'
  union all
  select i.tablename, 20000, '  ' || replace(i.indexdef, $1::text || '.', '')
  from pg_indexes i where i.schemaname = $1::text
  order by 1, 2, 3`;

/** One line for each table, column, constraint and index of the connection's schema. */
export async function describeSchema(postgres: Postgres): Promise<string> {
  const { rows } = await postgres.query<{ line: string }>(LINES, [postgres.schema]);
  return `${rows.map(({ line }) => line).join('\n')}\n`;
}
