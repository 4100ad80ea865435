// Servers that somebody else runs: what is said when they are not there.
import { expect, test } from 'vitest';
import { checkClickHouse, checkNats, checkPostgres, natsTarget } from './external-servers.ts';
import { freePort } from './free-port.ts';

test.each([
  ['NATS_URL', checkNats, 'nats'],
  ['DATABASE_URL', checkPostgres, 'postgres'],
  ['CLICKHOUSE_URL', checkClickHouse, 'http'],
] as const)('an unreachable server is named with %s and without its password', async (variable, check, protocol) => {
  const url = `${protocol}://someone:topsecret@127.0.0.1:${await freePort()}`;
  const error = await check(url).then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error?.message).toContain(variable);
  expect(error?.message).toContain('someone:***@127.0.0.1');
  expect(`${error?.message} ${error?.stack} ${error?.cause}`).not.toContain('topsecret');
});

test.each([
  ['nats://127.0.0.1:4222', { url: 'nats://127.0.0.1:4222', options: {} }],
  [
    'nats://me:p%40ss@a:1,nats://me:p%40ss@b:2',
    { url: 'nats://a:1,nats://b:2', options: { user: 'me', pass: 'p@ss' } },
  ],
  ['nats://tok@a:1', { url: 'nats://a:1', options: { token: 'tok' } }],
  ['a:1', { url: 'a:1', options: {} }],
])('%s becomes an address and options', (url, target) => {
  expect(natsTarget(url)).toEqual(target);
});
