import { expect, it } from 'vitest';
import { figuresOfRounds } from './round-figures.ts';

it('figures are named by the number of their round, and ratios keep the order of the rounds', () => {
  expect(figuresOfRounds([1.234, 0.9], [{ ms: 10.04 }, { ms: 20.06, peakMb: 240 }])).toEqual({
    rounds: 2,
    ratios: '1.23 0.90',
    'round1.ms': 10,
    'round2.ms': 20.1,
    'round2.peakMb': 240,
  });
});
