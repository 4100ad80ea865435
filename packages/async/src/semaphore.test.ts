import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Semaphore } from './semaphore.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('acquires up to its permits; waiters get theirs in the order of their calls', async () => {
  const semaphore = new Semaphore(2, 1_000);
  expect([semaphore.acquire(), semaphore.acquire()]).toEqual([true, true]);
  const acquired: string[] = [];
  for (const name of ['third', 'fourth']) void Promise.resolve(semaphore.acquire()).then(() => acquired.push(name));
  await vi.advanceTimersByTimeAsync(10);
  expect(acquired).toEqual([]);
  semaphore.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(acquired).toEqual(['third']);
  semaphore.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(acquired).toEqual(['third', 'fourth']);
  semaphore.release();
  expect(semaphore.acquire()).toBe(true);
});

it('a waiter that waits too long gets no permit, and the next waiter gets it', async () => {
  const semaphore = new Semaphore(1, 1_000);
  expect(semaphore.acquire()).toBe(true);
  const early = semaphore.acquire();
  await vi.advanceTimersByTimeAsync(600);
  const late = semaphore.acquire();
  expect(semaphore.stuckMs).toBe(600);
  await vi.advanceTimersByTimeAsync(400);
  expect(await early).toBe(false);
  semaphore.release();
  expect(await late).toBe(true);
  expect(semaphore.stuckMs).toBe(0);
  const third = semaphore.acquire();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await third).toBe(false);
});

it('holders that do not release are noticed once all permits are taken', () => {
  const semaphore = new Semaphore(2, 1_000);
  expect([semaphore.acquire(), semaphore.acquire()]).toEqual([true, true]);
  semaphore.release();
  vi.advanceTimersByTime(500);
  expect(semaphore.stuckMs).toBe(0);
  expect(semaphore.acquire()).toBe(true);
  expect(semaphore.stuckMs).toBe(500);
  semaphore.release();
  expect(semaphore.stuckMs).toBe(0);
});

it('a closed semaphore gives no permits', async () => {
  const semaphore = new Semaphore(1, 1_000);
  expect(semaphore.acquire()).toBe(true);
  const waiting = semaphore.acquire();
  semaphore.close();
  expect(await waiting).toBe(false);
  semaphore.release();
  expect(semaphore.acquire()).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

it('without a maximum wait, waiters get their permits in order, each when one is released', async () => {
  vi.useRealTimers();
  const semaphore = new Semaphore(2);
  const entered: string[] = [];
  const enter = async (name: string) => {
    await semaphore.acquire();
    entered.push(name);
  };
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(enter));
  await expect.poll(() => entered).toEqual(['a', 'b']);
  expect(semaphore.waiting).toBe(3);
  semaphore.release();
  await expect.poll(() => entered).toEqual(['a', 'b', 'c']);
  semaphore.release();
  semaphore.release();
  await all;
  expect(entered).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(semaphore.waiting).toBe(0);
});

it('has permits again when all are released', () => {
  const semaphore = new Semaphore(1);
  expect(semaphore.acquire()).toBe(true);
  semaphore.release();
  expect(semaphore.acquire()).toBe(true);
});
