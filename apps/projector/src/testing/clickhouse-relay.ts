// Stands between a pipeline under test and ClickHouse: lets requests pass, loses them before or after they took effect,
// or holds them back, so that what otherwise needs luck happens when the test says so.
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `lose`: the server never sees it. `lose-answer`: it takes effect, and nobody hears of it. */
type Fate = 'pass' | 'lose' | 'lose-answer';

export interface ClickHouseRelay extends AsyncDisposable {
  url: string;
  /** Asked for the fate of each insert into the journal; default: all pass. */
  insertFate: () => Fate | Promise<Fate>;
  /** Tokens of the inserts seen, in order. */
  tokens: string[];
}

/** @param target URL of the server */
export async function clickHouseRelay(target: string): Promise<ClickHouseRelay> {
  const { hostname, port } = new URL(target);
  const relay = { insertFate: (): Fate | Promise<Fate> => 'pass', tokens: [] as string[] };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await Array.fromAsync(request as AsyncIterable<Buffer>);
    const { searchParams } = new URL(request.url ?? '/', 'http://relay');
    const isInsert = /INSERT INTO journal/.test(searchParams.get('query') ?? '');
    if (isInsert) relay.tokens.push(searchParams.get('insert_deduplication_token') ?? '');
    const fate = isInsert ? await relay.insertFate() : 'pass';
    if (fate === 'lose') return void request.socket.destroy();
    const { 'transfer-encoding': _, ...headers } = request.headers;
    const forward = send({
      hostname,
      port,
      path: request.url,
      method: request.method,
      headers: { ...headers, 'content-length': Buffer.concat(body).length },
    });
    forward.on('response', (answer) => {
      if (fate === 'pass') {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      } else {
        answer.resume().on('end', () => request.socket.destroy());
      }
    });
    forward.on('error', () => request.socket.destroy());
    forward.end(Buffer.concat(body));
  }

  const server = createServer(
    (request, response) => void handle(request, response).catch(() => request.socket.destroy()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return Object.assign(relay, {
    url: url.href,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
