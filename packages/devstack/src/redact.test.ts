// Passwords and tokens in printed URLs.
import { expect, test } from 'vitest';
import { withoutPassword } from './redact.ts';

test.each([
  ['postgres://app:s3cret@db:5432/x', 'postgres://app:***@db:5432/x'],
  ['nats://token@host:4222', 'nats://***@host:4222'],
  ['nats://a:b@one:1, nats://a:b@two:2', 'nats://a:***@one:1, nats://a:***@two:2'],
  ['http://127.0.0.1:8123/?q=a@b', 'http://127.0.0.1:8123/?q=a@b'],
  ['cannot reach http://u:p@h: refused', 'cannot reach http://u:***@h: refused'],
])('%s is printed as %s', (url, printed) => {
  expect(withoutPassword(url)).toBe(printed);
});
