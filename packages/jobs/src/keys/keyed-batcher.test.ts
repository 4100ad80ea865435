import { expect, it } from 'vitest';
import { LinePerName } from './keyed-batcher.ts';

it('what is asked for while something of its name is under way is done together afterwards, in the order of asking', async () => {
  const done: string[] = [];
  let proceed = Promise.withResolvers<void>();
  const line = new LinePerName<number>(async (name, items) => {
    done.push(`${name}: ${items.join(' ')}`);
    await proceed.promise;
  });
  const step = async () => {
    proceed.resolve();
    proceed = Promise.withResolvers();
    await new Promise(setImmediate);
  };
  for (const item of [1, 2, 3]) line.add('a', item);
  line.add('b', 4);
  expect(done).toEqual(['a: 1', 'b: 4']);
  await step();
  expect(done).toEqual(['a: 1', 'b: 4', 'a: 2 3']);
  line.add('a', 5);
  await step();
  await step();
  line.add('a', 6);
  expect(done.slice(3)).toEqual(['a: 5', 'a: 6']);
});
