// For tests: a way to a server that can be cut and mended.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Relay extends AsyncDisposable {
  /** The URL of the relay in the place of the server's. */
  through(url: string): string;
  /** From now on connections break. */
  cut(): void;
  mend(): void;
}

export async function startRelay(): Promise<Relay> {
  const sockets = new Set<Socket>();
  let target = 0;
  let open = true;
  const server = createServer((socket) => {
    if (!open) return socket.destroy();
    const onward = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    open = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    through(url) {
      const relayed = new URL(url);
      target = Number(relayed.port);
      relayed.port = String((server.address() as AddressInfo).port);
      return relayed.href;
    },
    cut,
    mend() {
      open = true;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
