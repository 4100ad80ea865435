// The life of one process: start, serve liveness and readiness, stop in the reverse order of the start.
import type { AddressInfo } from 'node:net';
import { type Logger, type Loop, type LoopOptions, loop, sleep } from '@trellis/async';
import type { TelemetrySettings } from '@trellis/instrumentation';
import { redactConfig } from '../config/load-config.ts';
import { type ComponentTelemetry, type TelemetryConfig, telemetryOf } from '../config/telemetry-settings.ts';
import { createLogger } from '../log/logger.ts';
import { failingChecks, type ReadinessCheck, serveHealth } from './serve-health.ts';

type Close = () => Promise<void> | void;

/** What a component gets to start with. */
export interface ComponentScope {
  readonly name: string;
  /** Name of this process, unique. */
  readonly instanceId: string;
  readonly log: Logger;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
  /**
   * Registers something that was opened. At stop the things are closed one after the other, the last one first.
   * @param handle.close awaited; an error is logged with the thing's name and does not keep the others open
   * @param handle.ready a check of GET /ready under the thing's name
   * @returns the thing
   */
  use<Thing>(name: string, thing: Thing, handle: UseHandle<Thing>): Thing;
  /** Runs a loop until the process is asked to stop; the stop waits for the end of its last run. */
  run(name: string, options: Omit<LoopOptions, 'signal' | 'log'>): Loop;
  /** A check of GET /ready: throws (or rejects) with the reason while the component is not ready. */
  ready(name: string, check: ReadinessCheck): void;
}

interface UseHandle<Thing> {
  close: (thing: Thing) => Promise<void> | void;
  ready?: (thing: Thing) => Promise<void> | void;
}

export interface ComponentConfig {
  instanceId: string;
  logLevel?: string;
  healthPort?: number | undefined;
  healthHost?: string;
}

interface ComponentBase<Config extends ComponentConfig> {
  /** Name of the component, as logs, traces and connections show it. */
  name: string;
  /** Version that traces and metrics show. */
  version?: string;
  config: Config;
  /** Opens what the component works with; it is up when this has resolved. */
  start: (scope: ComponentScope) => Promise<void>;
  /** The process ends after this long even if something does not stop; default 25 s. */
  stopTimeoutMs?: number;
}

interface WithTelemetry<Config extends ComponentConfig> extends ComponentBase<Config & TelemetryConfig> {
  config: Config & TelemetryConfig;
  /** Starts traces, metrics and logs before anything else; shut down last of all. Serves GET /metrics. */
  startTelemetry: (settings: TelemetrySettings) => ComponentTelemetry;
}

interface WithoutTelemetry<Config extends ComponentConfig> extends ComponentBase<Config> {
  startTelemetry?: undefined;
}

export type ComponentOptions<Config extends ComponentConfig = ComponentConfig> =
  | WithTelemetry<Config>
  | WithoutTelemetry<Config>;

/**
 * Runs one component until SIGTERM, SIGINT or SIGHUP, then stops it and ends the process. A start that fails ends the
 * process with code 1. GET /live answers 200 while the process runs, GET /ready 200 when every check passes, else 503
 * with the reasons; GET /metrics is the telemetry's.
 */
export async function runComponent<Config extends ComponentConfig>(options: ComponentOptions<Config>): Promise<never> {
  const { name, version, config, start, stopTimeoutMs = 25_000 } = options;
  const { instanceId, logLevel, healthPort, healthHost = '0.0.0.0' } = config;
  const telemetry = options.startTelemetry?.(telemetryOf(options.config, name, version));
  const log = createLogger({ name, instanceId, ...(logLevel === undefined ? {} : { level: logLevel }) });
  const controller = new AbortController();
  const { signal } = controller;
  const closes: { name: string; close: Close }[] = [];
  const checks = new Map<string, ReadinessCheck>();
  const scope: ComponentScope = {
    name,
    instanceId,
    log,
    signal,
    use(thingName, thing, { close, ready }) {
      closes.push({ name: thingName, close: () => close(thing) });
      if (ready) checks.set(thingName, () => ready(thing));
      return thing;
    },
    run(loopName, loopOptions) {
      const running = loop(loopName, { ...loopOptions, signal, log });
      closes.push({ name: loopName, close: () => running.done });
      return running;
    },
    ready: (check, run) => void checks.set(check, run),
  };
  const stopAsked = abortOnSignals(controller, name, log);

  log.info({ config: redactConfig(config) }, `${name} starts`);
  let started = false;
  let failed = false;
  try {
    if (healthPort !== undefined) {
      const failing = async () => {
        const reasons = await failingChecks(checks);
        return started ? reasons : { starting: 'not started yet', ...reasons };
      };
      const health = await serveHealth(healthPort, healthHost, failing, telemetry);
      scope.use('health', health, {
        close: (server) => new Promise<void>((resolve) => void server.close(() => resolve())),
      });
      log.info({ port: (health.address() as AddressInfo).port }, 'health is served');
    }
    const starting = start(scope);
    // A start may wait for a server forever; a request to stop ends that too.
    await Promise.race([starting, stopAsked]);
    starting.catch((error: unknown) => log.debug({ error }, 'the start was interrupted'));
    started = !signal.aborted;
    if (started) log.info(`${name} is up`);
    await stopAsked;
  } catch (error) {
    if (!signal.aborted) {
      failed = true;
      log.fatal({ error }, `${name} could not start`);
    }
    controller.abort(error);
  }
  const timer = new AbortController();
  const late = sleep(stopTimeoutMs, timer.signal).then(() => 'late' as const);
  if ((await Promise.race([closeAll(closes, log), late])) === 'late') {
    log.error(`${name} did not stop within ${stopTimeoutMs} ms`);
  }
  timer.abort();
  log.info(`${name} has stopped`);
  await telemetry?.shutdown();
  process.exit(failed ? 1 : 0);
}

/** Aborts on the first signal that asks the process to stop; resolves then. */
function abortOnSignals(controller: AbortController, name: string, log: Logger): Promise<void> {
  process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled rejection'));
  return new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (!controller.signal.aborted) log.info({ signal }, `${name} stops`);
        controller.abort(new Error(`stopped by ${signal}`));
        resolve();
      });
    }
  });
}

async function closeAll(closes: { name: string; close: Close }[], log: Logger): Promise<'closed'> {
  for (const { name, close } of closes.reverse()) {
    try {
      await close();
    } catch (error) {
      log.warn({ error, part: name }, 'a part did not stop cleanly');
    }
  }
  return 'closed';
}
