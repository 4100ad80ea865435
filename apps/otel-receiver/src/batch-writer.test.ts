import { silentLogger } from '@trellis/async';
import { RowsRefused, TablesGone } from '@trellis/store-traces';
import { expect, it } from 'vitest';
import { BatchWriter } from './batch-writer.ts';

function writerTo(insert: (rows: readonly number[]) => Promise<void>, prepare = async () => {}) {
  return new BatchWriter<number>({ what: 'rows', insert, prepare, maxBytes: 100, maxRows: 3, log: silentLogger() });
}

it('writes what waits in order, several parts together up to the limit of rows', async () => {
  const written: (readonly number[])[] = [];
  const writer = writerTo(async (rows) => void written.push(rows));
  for (const rows of [[1], [2, 3], [4], [5, 6, 7, 8]]) writer.offer(rows, 10);
  await writer.flush();
  await writer.flush();
  expect(written).toEqual([[1, 2, 3], [4], [5, 6, 7, 8]]);
});

it('takes nothing while too much waits, and takes again once that is stored', async () => {
  const writer = writerTo(async () => {});
  expect(writer.offer([1], 60)).toBe(true);
  expect(writer.offer([2], 60)).toBe(true);
  expect(writer.full).toBe(true);
  expect(writer.offer([3], 1)).toBe(false);
  await writer.flush();
  expect(writer.offer([3], 1)).toBe(true);
});

it('keeps what could not be stored and writes it with what came meanwhile', async () => {
  let away = true;
  const written: (readonly number[])[] = [];
  const writer = writerTo(async (rows) => {
    if (away) throw new Error('ECONNREFUSED');
    written.push(rows);
  });
  writer.offer([1], 10);
  for (let time = 0; time < 10; time++) await expect(writer.flush()).rejects.toThrow('ECONNREFUSED');
  writer.offer([2], 10);
  away = false;
  await writer.flush();
  expect(written).toEqual([[1, 2]]);
  expect(writer.dropped).toBe(0);
});

it('makes the tables before the first rows, and again when they are gone', async () => {
  let there = false;
  let made = 0;
  const written: (readonly number[])[] = [];
  const writer = writerTo(
    async (rows) => {
      if (!there) throw new TablesGone('no table');
      written.push(rows);
    },
    async () => {
      there = true;
      made++;
    },
  );
  await writer.flush();
  expect(made).toBe(0);
  writer.offer([1], 10);
  await writer.flush();
  there = false;
  writer.offer([2], 10);
  await expect(writer.flush()).rejects.toThrow(TablesGone);
  await writer.flush();
  expect(written).toEqual([[1], [2]]);
  expect(made).toBe(2);
});

it('gives a batch up that is refused again and again, so that those behind it are stored', async () => {
  const written: (readonly number[])[] = [];
  const writer = writerTo(async (rows) => {
    if (rows.includes(13)) throw new RowsRefused('no');
    written.push(rows);
  });
  writer.offer([13, 14, 15], 10);
  writer.offer([16], 10);
  for (let time = 0; time < 4; time++) await expect(writer.flush()).rejects.toThrow(RowsRefused);
  await writer.flush();
  expect(written).toEqual([[16]]);
  expect(writer.dropped).toBe(3);
});
