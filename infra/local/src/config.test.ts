// What the environment says about the local system.
import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('without variables everything is local, in the checkout, on free ports', () => {
  const config = readConfig({});
  expect(config.home).toMatch(/\.trellis$/);
  expect(config.portBase).toBeUndefined();
  expect(config.external).toEqual({ nats: undefined, postgres: undefined, clickhouse: undefined });
});

test('an empty variable counts as absent', () => {
  expect(readConfig({ NATS_URL: '', TRELLIS_PORT_BASE: '' })).toEqual(readConfig({}));
});

test('a port base that is no number is refused by name', () => {
  expect(() => readConfig({ TRELLIS_PORT_BASE: 'many' })).toThrow('TRELLIS_PORT_BASE');
});
