import { expect, it } from 'vitest';
import { bindSql } from './bind-sql.ts';

const TEXT = `-- A purpose with a $1 in it.
select id from jobs
where ($1::text is null or service = $1)
  and ($2::text[] is null or state = any ($2))
  and ($3::timestamptz is null or (created_at, id) < ($3, $4::text))
limit $5
`;

it('conditions without a value are removed; the others stay and share their parameters', () => {
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

it('a null outside a condition stays a parameter; whole numbers and booleans become literals', () => {
  const bound: unknown[] = [];
  expect(bindSql('select $1::text, $2::boolean, $3, $1, $4', [undefined, false, 7, -1], bound)).toBe(
    'select $1::text, false::boolean, 7, $1, $2',
  );
  expect(bound).toEqual([null, -1]);
});

it('a text never becomes a literal', () => {
  const bound: unknown[] = [];
  expect(bindSql(`select $1, $2`, [`'; drop table jobs; --`, '$1'], bound)).toBe('select $1, $2');
  expect(bound).toEqual([`'; drop table jobs; --`, '$1']);
});

it('a single state becomes a literal, several states a parameter', () => {
  const bound: unknown[] = [];
  expect(bindSql('$1 $2 $3', ['dead', ['completed'], ['dead', 'failed']], bound)).toBe(`'dead' '{completed}' $1`);
  expect(bound).toEqual([['dead', 'failed']]);
});
