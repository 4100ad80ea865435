import { expect, it } from 'vitest';
import { bindSql } from './bind-sql.ts';

const TEXT = `-- A purpose with a $1 in it.
select id from jobs
where ($1::text is null or service = $1)
  and ($2::text[] is null or state = any ($2))
  and ($3::timestamptz is null or (created_at, id) < ($3, $4::text))
limit $5
`;

it('conditions without a value fall away, the others are in force and share the values', () => {
  const bound: unknown[] = ['before'];
  const text = bindSql(TEXT, ['s', undefined, '2026-01-01T00:00:00.000Z', 'id', 51], bound);
  expect(text).toBe(`select id from jobs
where (service = $2)
  and true
  and ((created_at, id) < ($3, $4::text))
limit 51
`);
  expect(bound).toEqual(['before', 's', '2026-01-01T00:00:00.000Z', 'id']);
});

it('a null that is no condition stays a parameter; whole numbers and booleans are put in', () => {
  const bound: unknown[] = [];
  expect(bindSql('select $1::text, $2::boolean, $3, $1, $4', [undefined, false, 7, -1], bound)).toBe(
    'select $1::text, false::boolean, 7, $1, $2',
  );
  expect(bound).toEqual([null, -1]);
});

it('no text is ever put into the statement', () => {
  const bound: unknown[] = [];
  expect(bindSql(`select $1, $2`, [`'; drop table jobs; --`, '$1'], bound)).toBe('select $1, $2');
  expect(bound).toEqual([`'; drop table jobs; --`, '$1']);
});

it('one state is put in, several are a parameter', () => {
  const bound: unknown[] = [];
  expect(bindSql('$1 $2 $3', ['dead', ['completed'], ['dead', 'failed']], bound)).toBe(`'dead' '{completed}' $1`);
  expect(bound).toEqual([['dead', 'failed']]);
});
