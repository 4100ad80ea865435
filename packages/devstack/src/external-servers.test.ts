// Error messages for external servers that cannot be reached.
import { expect, test } from 'vitest';
import { checkClickHouse, checkNats, checkPostgres } from './external-servers.ts';
import { freePort } from './free-port.ts';

test.each([
  ['NATS_URL', checkNats, 'nats'],
  ['DATABASE_URL', checkPostgres, 'postgres'],
  ['CLICKHOUSE_URL', checkClickHouse, 'http'],
] as const)(
  'the error for an unreachable server names %s and hides the password',
  async (variable, check, protocol) => {
    const url = `${protocol}://someone:topsecret@127.0.0.1:${await freePort()}`;
    const error = await check(url).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.message).toContain(variable);
    expect(error?.message).toContain('someone:***@127.0.0.1');
    expect(`${error?.message} ${error?.stack} ${error?.cause}`).not.toContain('topsecret');
  },
);
