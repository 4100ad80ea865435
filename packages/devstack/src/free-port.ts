// Finds free TCP ports on 127.0.0.1. Remembering them is left to the stack.
import { createServer } from 'node:net';

// Below the range of ephemeral ports: otherwise a client that reconnects while its server is down could get the server's
// port as its local port, and connect to itself.
const LOWEST = 20_000;
const HIGHEST = 31_999;

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isFreePort(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port that is free now. Another process may still take it first, so the caller must be ready to try again. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if (await isFreePort(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} on 127.0.0.1`);
}

/** Another process listens on a requested port. */
export class PortTakenError extends Error {
  override name = 'PortTakenError';
}

/**
 * Starts something on the wanted ports; `undefined` means any free port. Tries again, at most five times, if another process
 * takes a free port before `start` listens on it.
 * @throws PortTakenError if a wanted port is taken
 */
export async function onPorts<T>(
  wanted: readonly (number | undefined)[],
  start: (ports: number[]) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const ports: number[] = [];
    for (const port of wanted) {
      if (port !== undefined && !(await isFreePort(port))) {
        throw new PortTakenError(`port ${port} of 127.0.0.1 is taken by another process`);
      }
      ports.push(port ?? (await freePort()));
    }
    try {
      return await start(ports);
    } catch (error) {
      const free = await Promise.all(ports.map(isFreePort));
      if (attempt >= 5 || free.every(Boolean) || wanted.every((port) => port !== undefined)) throw error;
    }
  }
}
