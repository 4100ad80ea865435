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

it('a Ctrl-C that arrives from both the terminal and npm is forwarded once', () => {
  const { passed, clock, from } = passing();
  from.emit('SIGINT');
  clock.now = 20;
  from.emit('SIGINT');
  expect(passed).toEqual(['SIGINT']);
});

it('a later signal of any kind is forwarded again', () => {
  const { passed, clock, from } = passing();
  from.emit('SIGINT');
  clock.now = 1_000;
  from.emit('SIGTERM');
  clock.now = 2_000;
  from.emit('SIGINT');
  expect(passed).toEqual(['SIGINT', 'SIGTERM', 'SIGINT']);
});
