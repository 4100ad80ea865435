import { expect, it } from 'vitest';
import { Admission } from './admission.ts';

it('lets so many in at once and the others in their order, each when one has left', async () => {
  const admission = new Admission(2);
  const entered: string[] = [];
  const enter = async (name: string) => {
    await admission.enter();
    entered.push(name);
  };
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(enter));
  await expect.poll(() => entered).toEqual(['a', 'b']);
  expect(admission.waiting).toBe(3);
  admission.leave();
  await expect.poll(() => entered).toEqual(['a', 'b', 'c']);
  admission.leave();
  admission.leave();
  await all;
  expect(entered).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(admission.waiting).toBe(0);
});

it('has room again when all have left', () => {
  const admission = new Admission(1);
  expect(admission.enter()).toBeUndefined();
  admission.leave();
  expect(admission.enter()).toBeUndefined();
});
