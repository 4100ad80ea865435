import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HandlerSlots } from './semaphore.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('as many run as there are places; the others get theirs in the order of asking', async () => {
  const slots = new HandlerSlots(2, 1_000);
  expect([slots.take(), slots.take()]).toEqual([true, true]);
  const begun: string[] = [];
  for (const name of ['third', 'fourth']) void Promise.resolve(slots.take()).then(() => begun.push(name));
  await vi.advanceTimersByTimeAsync(10);
  expect(begun).toEqual([]);
  slots.giveBack();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['third']);
  slots.giveBack();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['third', 'fourth']);
  slots.giveBack();
  expect(slots.take()).toBe(true);
});

it('who waits longer than the patience lasts gets none, and the place goes to the next one', async () => {
  const slots = new HandlerSlots(1, 1_000);
  expect(slots.take()).toBe(true);
  const early = slots.take();
  await vi.advanceTimersByTimeAsync(600);
  const late = slots.take();
  expect(slots.stuckMs).toBe(600);
  await vi.advanceTimersByTimeAsync(400);
  expect(await early).toBe(false);
  slots.giveBack();
  expect(await late).toBe(true);
  expect(slots.stuckMs).toBe(0);
  const third = slots.take();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await third).toBe(false);
});

it('handlers that do not end are noticed once they have all places', () => {
  const slots = new HandlerSlots(2, 1_000);
  expect([slots.take(), slots.take()]).toEqual([true, true]);
  slots.giveBack();
  vi.advanceTimersByTime(500);
  expect(slots.stuckMs).toBe(0);
  expect(slots.take()).toBe(true);
  expect(slots.stuckMs).toBe(500);
  slots.giveBack();
  expect(slots.stuckMs).toBe(0);
});

it('nobody gets a place of slots that are closed', async () => {
  const slots = new HandlerSlots(1, 1_000);
  expect(slots.take()).toBe(true);
  const waiting = slots.take();
  slots.close();
  expect(await waiting).toBe(false);
  slots.giveBack();
  expect(slots.take()).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
