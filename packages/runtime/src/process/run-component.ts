// The life of one process: start, serve liveness and readiness, stop in the reverse order of the start.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '@trellis/async';
import { sleep } from '@trellis/async';
import { redactConfig } from '../config/load-config.ts';
import type { ComponentTelemetry } from '../config/telemetry-settings.ts';

export interface ComponentScope {
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** `stop` runs at the end, in the reverse order of registration; each is awaited. */
  onStop(stop: () => Promise<void> | void): void;
  /** A check of GET /ready: throws (or rejects) while the component is not ready. */
  ready(name: string, check: () => Promise<void> | void): void;
}

export interface ComponentOptions {
  name: string;
  config: { healthPort?: number | undefined; healthHost?: string; instanceId: string } & Record<string, unknown>;
  log: Logger;
  /** Serves GET /metrics on the health port; shut down last of all. */
  telemetry?: ComponentTelemetry;
  start: (scope: ComponentScope) => Promise<void>;
  /** The process ends after this long even if something does not stop; default 25 s. */
  stopTimeoutMs?: number;
}

const CHECK_TIMEOUT_MS = 3_000;

/**
 * Runs one component until SIGTERM, SIGINT or SIGHUP, then stops it. A start that fails ends the process with code 1.
 * GET /live answers 200 while the process runs, GET /ready 200 when every check passes, else 503 with the reasons;
 * GET /metrics is the telemetry's.
 */
export async function runComponent(options: ComponentOptions): Promise<void> {
  const { name, config, log, telemetry, start, stopTimeoutMs = 25_000 } = options;
  const controller = new AbortController();
  const stops: (() => Promise<void> | void)[] = [];
  const checks = new Map<string, () => Promise<void> | void>();
  let started = false;

  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (!controller.signal.aborted) log.info({ signal }, `${name} stops`);
        controller.abort(new Error(`stopped by ${signal}`));
        resolve();
      });
    }
  });
  process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled rejection'));

  log.info({ config: redactConfig(config) }, `${name} starts`);
  let failed = false;
  try {
    if (config.healthPort !== undefined) {
      const failing = async () => {
        const reasons = await failingChecks(checks);
        return started ? reasons : { starting: 'not started yet', ...reasons };
      };
      const health = await serveHealth(config.healthPort, config.healthHost ?? '0.0.0.0', failing, telemetry);
      stops.push(() => new Promise<void>((resolve) => health.close(() => resolve())));
      log.info({ port: (health.address() as AddressInfo).port }, 'health is served');
    }
    const starting = start({
      signal: controller.signal,
      onStop: (stop) => void stops.push(stop),
      ready: (check, run) => void checks.set(check, run),
    });
    // A start may wait for a server for ever; being asked to stop ends that too.
    await Promise.race([starting, stopped]);
    starting.catch((error: unknown) => log.debug({ error }, 'the start was cut off'));
    started = !controller.signal.aborted;
    if (started) log.info(`${name} is up`);
    await stopped;
  } catch (error) {
    if (!controller.signal.aborted) {
      failed = true;
      log.fatal({ error }, `${name} could not start`);
    }
    controller.abort(error);
  }
  const ended = runStops(stops, log);
  const timer = new AbortController();
  const late = sleep(stopTimeoutMs, timer.signal).then(() => 'late' as const);
  if ((await Promise.race([ended, late])) === 'late') log.error(`${name} did not stop within ${stopTimeoutMs} ms`);
  timer.abort();
  log.info(`${name} has stopped`);
  await telemetry?.shutdown();
  process.exit(failed ? 1 : 0);
}

async function runStops(stops: (() => Promise<void> | void)[], log: Logger): Promise<'ended'> {
  for (const stop of stops.reverse()) {
    try {
      await stop();
    } catch (error) {
      log.warn({ error }, 'a part did not stop cleanly');
    }
  }
  return 'ended';
}

async function failingChecks(checks: Map<string, () => Promise<void> | void>): Promise<Record<string, string>> {
  const results = await Promise.all(
    [...checks].map(async ([check, run]) => {
      const timer = new AbortController();
      const timeout = sleep(CHECK_TIMEOUT_MS, timer.signal).then(() => {
        throw new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`);
      });
      timeout.catch(() => undefined);
      try {
        await Promise.race([run(), timeout]);
        return undefined;
      } catch (error) {
        return [check, error instanceof Error ? error.message : String(error)] as const;
      } finally {
        timer.abort();
      }
    }),
  );
  return Object.fromEntries(results.filter((result) => result !== undefined));
}

function serveHealth(
  port: number,
  host: string,
  failing: () => Promise<Record<string, string>>,
  telemetry: ComponentTelemetry | undefined,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    if (path === '/live') return answer(200, { status: 'live' });
    if (path === '/metrics' && telemetry) return telemetry.metrics(request, response);
    if (path !== '/ready') return answer(404, { status: 'not found', paths: ['/live', '/ready', '/metrics'] });
    const reasons = await failing();
    const ready = Object.keys(reasons).length === 0;
    answer(ready ? 200 : 503, ready ? { status: 'ready' } : { status: 'not ready', reasons });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
