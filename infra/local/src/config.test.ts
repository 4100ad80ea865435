// The settings of `npm start` from the environment.
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('by default all servers are embedded, with data in the checkout and free ports', () => {
  const config = readConfig({});
  expect(config.home).toMatch(/\.trellis$/);
  expect(config.portBase).toBeUndefined();
  expect(config.external).toEqual({ nats: undefined, postgres: undefined, clickhouse: undefined });
});

test('an empty variable counts as missing', () => {
  expect(readConfig({ NATS_URL: '', TRELLIS_PORT_BASE: '' })).toEqual(readConfig({}));
});

test('a port base that is not a number is refused, and the error names the variable', () => {
  expect(() => readConfig({ TRELLIS_PORT_BASE: 'many' })).toThrow('TRELLIS_PORT_BASE');
});
