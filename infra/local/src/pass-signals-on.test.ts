import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { passSignalsOn } from '../../bootstrap/pass-signals-on.mjs';

function passing() {
  const passed: string[] = [];
  const clock = { now: 0 };
  const from = new EventEmitter();
  passSignalsOn(from, { kill: (signal) => passed.push(signal) }, () => clock.now);
  return { passed, clock, from };
}

it('a Ctrl-C that comes from the terminal and from npm as well is passed on once', () => {
  const { passed, clock, from } = passing();
  from.emit('SIGINT');
  clock.now = 20;
  from.emit('SIGINT');
  expect(passed).toEqual(['SIGINT']);
});

it('whoever asks again is passed on again, with whatever signal', () => {
  const { passed, clock, from } = passing();
  from.emit('SIGINT');
  clock.now = 1_000;
  from.emit('SIGTERM');
  clock.now = 2_000;
  from.emit('SIGINT');
  expect(passed).toEqual(['SIGINT', 'SIGTERM', 'SIGINT']);
});
