// Runs one nats-server with JetStream on 127.0.0.1.
// Streams and buckets are left to whoever connects.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPorts } from '../free-port.ts';
import { type SupervisedProcess, startSupervised } from '../process/supervised-process.ts';
import { findNatsServer } from './nats-binary.ts';

export interface NatsServerOptions {
  /** Folder of the JetStream store; the configuration is written beside its content. */
  storeDir: string;
  /** A free one when absent. */
  port?: number;
  /** Of the HTTP monitoring; a free one when absent. */
  monitorPort?: number;
  /** Lines added to the configuration file. */
  extraConfig?: string;
  /** `<storeDir>/nats-server.log` when absent. */
  logFile?: string;
  /** Start it again when it ends unasked; no when absent. */
  supervise?: boolean;
  /** Gives the start up. */
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
  // Asked back by the health check: another server on the port would not know it.
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
