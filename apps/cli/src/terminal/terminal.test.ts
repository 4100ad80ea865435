import { expect, it } from 'vitest';
import { plain, shorten } from './terminal.ts';

it('shows texts of services on one line and without control sequences', () => {
  expect(plain('a\n\tb\u001b[31mred\u001b[0m \u001b]0;title\u0007\u009b2Jc ')).not.toMatch(/\p{Cc}/u);
  expect(plain('line one\r\nline two')).toBe('line one line two');
});

it('marks a cut text with an ellipsis', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdef', 4)).toBe('abc…');
});
