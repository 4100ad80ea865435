import { expect, it } from 'vitest';
import { allPipelined } from './pipelined-statements.ts';

const failed = (code: string) => Object.assign(new Error(code), { code });

it('returns the results in the order of the statements', async () => {
  expect(await allPipelined(Promise.resolve(1), Promise.resolve('two'))).toEqual([1, 'two']);
  expect(await allPipelined()).toEqual([]);
});

it('does not settle before the last statement has settled, even when the first one failed', async () => {
  const last = Promise.withResolvers<void>();
  let ended = false;
  const together = allPipelined(Promise.reject(failed('23505')), last.promise).finally(() => (ended = true));
  together.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(false);
  last.resolve();
  await expect(together).rejects.toThrow('23505');
});

it('throws the error that failed the transaction, whatever its position', async () => {
  await expect(allPipelined(Promise.reject(failed('25P02')), Promise.reject(failed('22P02')))).rejects.toThrow('22P02');
  await expect(allPipelined(Promise.resolve(), Promise.reject(failed('25P02')))).rejects.toThrow('25P02');
});
