import { expect, it } from 'vitest';
import { silentLogger } from './logger.ts';
import { loop } from './loop.ts';

const quick = { firstMs: 1, maxMs: 2 };

it('goes on after an error and ends only when told to', async () => {
  const controller = new AbortController();
  let runs = 0;
  const running = loop('work', {
    signal: controller.signal,
    log: silentLogger(),
    backoff: quick,
    run: async () => {
      runs += 1;
      if (runs < 4) throw new Error(`run ${runs} failed`);
      controller.abort();
    },
  });
  await running.done;
  expect(runs).toBe(4);
});

it('tells the last error until a run ends well', async () => {
  const controller = new AbortController();
  const seen: unknown[] = [];
  let runs = 0;
  const running = loop('work', {
    signal: controller.signal,
    log: silentLogger(),
    backoff: quick,
    run: async () => {
      if (runs > 0) seen.push(running.lastError);
      runs += 1;
      if (runs === 1) throw new Error('down');
      if (runs === 3) controller.abort();
    },
  });
  await running.done;
  expect(seen[0]).toBeInstanceOf(Error);
  expect(seen[1]).toBeUndefined();
});

it('forgets the last error once the next run has lasted long enough', async () => {
  const controller = new AbortController();
  const seen: unknown[] = [];
  let runs = 0;
  const running = loop('work', {
    signal: controller.signal,
    log: silentLogger(),
    backoff: quick,
    steadyMs: 0,
    run: async () => {
      runs += 1;
      if (runs === 1) throw new Error('down');
      seen.push(running.lastError);
      controller.abort();
    },
  });
  await running.done;
  expect(seen).toEqual([undefined]);
});

it('an error during the stop is no failure', async () => {
  const controller = new AbortController();
  await loop('work', {
    signal: controller.signal,
    log: silentLogger(),
    run: async () => {
      controller.abort();
      throw new Error('closed');
    },
  }).done;
});
