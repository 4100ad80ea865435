import { silentLogger } from '@trellis/async';
import { expect, it } from 'vitest';
import { ProjectionProgress } from './projection-progress.ts';

const log = silentLogger();

it('is reached as soon as the position is there, and asks no further when nobody waits', async () => {
  const positions = [undefined, 3, 7, 8, 9];
  let reads = 0;
  const progress = new ProjectionProgress({ readPosition: async () => positions[reads++], log, everyMs: 1 });
  await expect(progress.reached(7, 10_000)).resolves.toBe(true);
  expect(reads).toBe(3);
});

it('asks once for all who wait', async () => {
  let reads = 0;
  const started = Promise.withResolvers<void>();
  const readPosition = async () => {
    reads++;
    await started.promise;
    return 100;
  };
  const progress = new ProjectionProgress({ readPosition, log, everyMs: 1 });
  const waits = Array.from({ length: 50 }, (_, i) => progress.reached(i, 10_000));
  started.resolve();
  expect(await Promise.all(waits)).toEqual(waits.map(() => true));
  expect(reads).toBe(1);
});

it('gives up in time, also when the store hangs or fails', async () => {
  const hangs = new ProjectionProgress({ readPosition: () => new Promise(() => undefined), log });
  await expect(hangs.reached(1, 5)).resolves.toBe(false);
  const fails = new ProjectionProgress({ readPosition: () => Promise.reject(new Error('down')), log, everyMs: 1 });
  await expect(fails.reached(1, 5)).resolves.toBe(false);
});
