import { getHeapSpaceStatistics } from 'node:v8';
import { expect, it } from 'vitest';
import { boundYoungGeneration } from './young-generation.ts';

const sizeNow = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;

it('the young generation grows to 32 MB and no further, however much survives in it', () => {
  const kept: object[] = [];
  for (let round = 0; round < 4_000; round++) {
    boundYoungGeneration();
    for (let index = 0; index < 2_000; index++) kept[index + 2_000 * (round % 10)] = { round, ids: [index, round] };
  }
  expect(sizeNow()).toBeGreaterThan(0);
  expect(sizeNow()).toBeLessThanOrEqual(32 * 2 ** 20);
});
