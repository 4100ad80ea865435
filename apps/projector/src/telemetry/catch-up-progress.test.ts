import { type Logger, silentLogger } from '@trellis/async';
import { expect, it } from 'vitest';
import { CatchUpProgress } from './catch-up-progress.ts';

function watched() {
  const lines: Record<string, unknown>[] = [];
  const log = Object.assign(silentLogger(), {
    info: (fields: Record<string, unknown>, message: string) => void lines.push({ ...fields, message }),
  }) as unknown as Logger;
  const clock = { now: 0 };
  return { lines, clock, progress: new CatchUpProgress(log, 'current', () => clock.now) };
}

it('tells every five seconds how far a long way is, how quick it goes, and when it is done', () => {
  const { lines, clock, progress } = watched();
  progress.passed(1_000, 1_000, 99_000);
  clock.now = 5_000;
  progress.passed(24_000, 25_000, 75_000);
  clock.now = 9_000;
  progress.passed(60_000, 85_000, 15_000);
  clock.now = 10_500;
  progress.passed(15_000, 100_000, 0);
  expect(lines).toEqual([
    {
      pipeline: 'current',
      position: 25_000,
      percent: 25,
      eventsPerSecond: 5_000,
      remaining: 75_000,
      message: 'catching up with the stream',
    },
    { pipeline: 'current', position: 100_000, events: 100_000, message: 'caught up with the stream' },
  ]);
});

it('says nothing of a pipeline that keeps up', () => {
  const { lines, clock, progress } = watched();
  for (let at = 0; at < 20; at++) {
    clock.now = at * 3_000;
    progress.passed(100, at * 100, at % 2 === 0 ? 0 : 500);
  }
  expect(lines).toEqual([]);
});
