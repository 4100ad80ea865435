import { expect, it } from 'vitest';
import { PrefetchWindow } from './prefetch-window.ts';

const after = (startMs: number, handlerMs: number, prefetch = new PrefetchWindow()): PrefetchWindow => {
  for (let times = 0; times < 100; times++) {
    prefetch.started(startMs);
    prefetch.handled(handlerMs);
  }
  return prefetch;
};

it('nothing is started ahead before it is known how long handlers take', () => {
  const prefetch = new PrefetchWindow();
  prefetch.started(5);
  expect(prefetch.limit(100, 0)).toBe(0);
});

it('as many are started ahead as handlers end while a start is under way', () => {
  expect(after(4, 8).limit(10, 0)).toBe(5);
  expect(after(4, 8).limit(100, 0)).toBe(50);
  expect(after(1, 40).limit(10, 0)).toBe(0);
});

it('what is started ahead is bounded, however quick the handlers are', () => {
  expect(after(10, 0).limit(100, 0)).toBe(100);
  expect(after(10, 0.001).limit(1_000, 0)).toBe(100);
});

it('of a keyed queue more is started ahead, bounded too', () => {
  expect(after(10, 0, new PrefetchWindow({ keyed: true })).limit(100, 0)).toBe(500);
  expect(after(4, 8, new PrefetchWindow({ keyed: true })).limit(100, 0)).toBe(50);
});

it('nothing is started ahead of slow handlers, however slow a start is', () => {
  expect(after(10_000, 60).limit(1_000, 0)).toBe(0);
});

it('nothing more is started ahead while no handler moves on', () => {
  expect(after(4, 8).limit(100, 200)).toBe(0);
});

it('a few slow handlers among many quick ones are enough to stop it', () => {
  const prefetch = after(4, 1);
  expect(prefetch.limit(10, 0)).toBe(40);
  prefetch.handled(2_000);
  expect(prefetch.limit(10, 0)).toBe(0);
});
