// Servers that somebody else runs: what is said when they are not there.
import { expect, test } from 'vitest';
import { checkClickHouse, checkNats, checkPostgres } from './external-servers.ts';
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
