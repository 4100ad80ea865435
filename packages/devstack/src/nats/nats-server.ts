// Runs one nats-server with JetStream on 127.0.0.1.
// Streams and buckets are left to the clients.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPorts } from '../free-port.ts';
import { type SupervisedProcess, startSupervised } from '../process/supervised-process.ts';
import { findNatsServer } from './nats-binary.ts';

export interface NatsServerOptions {
  /** Folder of the JetStream store and of the server's configuration file. */
  storeDir: string;
  /** Default: a free port. */
  port?: number;
  /** Port of the HTTP monitoring. Default: a free port. */
  monitorPort?: number;
  /** Lines added to the configuration file. */
  extraConfig?: string;
  /** Default: `<storeDir>/nats-server.log`. */
  logFile?: string;
  /** Restart it if it ends unexpectedly. Default: false. */
  supervise?: boolean;
  /** Cancels the start. */
  signal?: AbortSignal;
  log?: (line: string) => void;
  changed?: () => void;
}

export interface NatsServer extends SupervisedProcess {
  readonly url: string;
  readonly port: number;
  readonly monitorPort: number;
  /** Base of the HTTP monitoring (`/varz`, `/jsz`, …). */
  readonly monitorUrl: string;
  readonly storeDir: string;
  readonly version: string;
}

/** Starts a nats-server and waits until JetStream answers. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { storeDir, log } = options;
  const binary = await findNatsServer(log);
  mkdirSync(storeDir, { recursive: true, mode: 0o700 });
  const configFile = join(storeDir, 'nats-server.conf');
  // The health check compares it: another server on the port would have another name.
  const serverName = `trellis-${randomBytes(6).toString('hex')}`;

  return onPorts([options.port, options.monitorPort], async (ports) => {
    const [port, monitorPort] = ports as [number, number];
    const monitorUrl = `http://127.0.0.1:${monitorPort}`;
    writeFileSync(
      configFile,
      [
        `server_name: ${serverName}`,
        `listen: "127.0.0.1:${port}"`,
        `http: "127.0.0.1:${monitorPort}"`,
        `jetstream { store_dir: ${JSON.stringify(storeDir)} }`,
        options.extraConfig ?? '',
        '',
      ].join('\n'),
    );
    const server = await startSupervised({
      name: 'nats-server',
      command: () => ({ file: binary.file, args: ['-c', configFile] }),
      logFile: options.logFile ?? join(storeDir, 'nats-server.log'),
      ready: async () => {
        const health = await fetch(`${monitorUrl}/healthz?js-enabled-only=true`, {
          signal: AbortSignal.timeout(2_000),
        });
        if (!health.ok) return false;
        const about = (await (await fetch(`${monitorUrl}/varz`)).json()) as { server_name: string };
        return about.server_name === serverName;
      },
      readyTimeoutMs: 60_000,
      supervise: options.supervise ?? false,
      ...(options.signal && { signal: options.signal }),
      ...(log && { log }),
      ...(options.changed && { changed: options.changed }),
    });
    return Object.defineProperties(
      server,
      Object.getOwnPropertyDescriptors({
        url: `nats://127.0.0.1:${port}`,
        port,
        monitorPort,
        monitorUrl,
        storeDir,
        version: binary.version,
      }),
    ) as NatsServer;
  });
}
