// One PostgreSQL and one ClickHouse for a whole test run. Each starts when a test first needs it.
// Databases in them are left to fresh-postgres.ts and fresh-clickhouse.ts.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Stack, startStack } from '@trellis/devstack';
import { removeAbandonedFolders, removeFolder, tempFolder } from './temp-folder.ts';

/** Environment variable with the URL from which test processes get the shared servers. Child processes inherit it. */
const VARIABLE = 'TRELLIS_TEST_SERVERS';

export type SharedServer = 'postgres' | 'clickhouse';

interface SharedServers extends AsyncDisposable {
  url(name: SharedServer): Promise<string>;
}

function sharedServers(): SharedServers {
  const stacks = new Map<SharedServer, Promise<{ stack: Stack; home: string }>>();
  async function start(name: SharedServer) {
    const home = tempFolder(name);
    const stack = await startStack({ home, only: [name], durability: 'test' });
    return { stack, home };
  }
  return {
    async url(name) {
      const starting = stacks.get(name) ?? start(name);
      stacks.set(name, starting);
      return (await starting).stack.urls[name];
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...stacks.values()].map(async (starting) => {
          const { stack, home } = await starting;
          await stack.stop();
          removeFolder(home);
        }),
      );
    },
  };
}

/**
 * Offers the shared servers to all test processes that start from now on.
 * @returns stops the servers and removes their data
 */
export async function offerSharedServers(): Promise<() => Promise<void>> {
  removeAbandonedFolders();
  const servers = sharedServers();
  const broker = createServer((request, response) => {
    const name = request.url?.slice(1) as SharedServer;
    servers.url(name).then(
      (url) => response.end(url),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  process.env[VARIABLE] = `http://127.0.0.1:${(broker.address() as AddressInfo).port}`;
  return async () => {
    broker.close();
    broker.closeAllConnections();
    await servers[Symbol.asyncDispose]();
  };
}

let own: SharedServers | undefined;

/** URL of the shared server; the first call starts it. Outside of a test run the server belongs to this process. */
export async function sharedServerUrl(name: SharedServer): Promise<string> {
  const broker = process.env[VARIABLE];
  if (!broker) {
    own ??= sharedServers();
    return own.url(name);
  }
  const response = await fetch(`${broker}/${name}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`the shared ${name} of this test run did not start: ${text}`);
  return text;
}

/** Stops the servers that this process started outside of a test run (scripts that use the test support). */
export async function stopOwnServers(): Promise<void> {
  await own?.[Symbol.asyncDispose]();
  own = undefined;
}
