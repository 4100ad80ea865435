import { expect, it } from 'vitest';
import { KeyedBatcher } from './keyed-batcher.ts';

it('items that come while a batch of their key runs form the next batch, in their order', async () => {
  const done: string[] = [];
  let proceed = Promise.withResolvers<void>();
  const batcher = new KeyedBatcher<number>(async (name, items) => {
    done.push(`${name}: ${items.join(' ')}`);
    await proceed.promise;
  });
  const step = async () => {
    proceed.resolve();
    proceed = Promise.withResolvers();
    await new Promise(setImmediate);
  };
  for (const item of [1, 2, 3]) batcher.add('a', item);
  batcher.add('b', 4);
  expect(done).toEqual(['a: 1', 'b: 4']);
  await step();
  expect(done).toEqual(['a: 1', 'b: 4', 'a: 2 3']);
  batcher.add('a', 5);
  await step();
  await step();
  batcher.add('a', 6);
  expect(done.slice(3)).toEqual(['a: 5', 'a: 6']);
});
