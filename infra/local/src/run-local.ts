// Runs the whole system on this machine, from the start of the servers to the end of the last process.
// Running a server is left to the dev stack, running a component to components.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { homeOwner, type Stack, startStack, withoutPassword } from '@trellis/devstack';
import { type Component, type ComponentProgram, startComponent } from './components.ts';
import type { LocalConfig } from './config.ts';
import { removeRunFile, runFilePath, writeRunFile } from './run-file.ts';

const say = (line: string) => console.log(line);

/** Requests to stop: the first stops everything in order, the second kills the components, the third exits immediately. */
class StopRequest {
  /** Resolves with the reason of the first request. */
  readonly requested: Promise<string>;
  readonly #requested = Promise.withResolvers<string>();
  readonly #abort = new AbortController();
  readonly #killComponents: () => void;
  #count = 0;

  constructor(killComponents: () => void) {
    this.requested = this.#requested.promise;
    this.#killComponents = killComponents;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.#request(signal));
    // The parent process has ended without sending a signal.
    process.on('disconnect', () => this.pending || this.#request('the parent process ended'));
    // Writing to a closed terminal must not end this process before its servers.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  }

  get pending(): boolean {
    return this.#count > 0;
  }

  /** The first request aborts it and cancels a start. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  #request(reason: string): void {
    this.#count++;
    if (this.#count === 1) {
      this.#requested.resolve(reason);
      this.#abort.abort();
    } else if (this.#count === 2) {
      say('second signal: killing the components, the servers still stop in order');
      this.#killComponents();
    } else {
      // The guard process ends the remaining processes.
      process.exit(130);
    }
  }
}

/**
 * Runs the system until a signal or the end of the parent process.
 * @returns the exit code: 0 after a normal stop, 1 if something did not start
 */
export async function runLocal(config: LocalConfig, programs: readonly ComponentProgram[]): Promise<number> {
  const started = performance.now();
  const running: Component[] = [];
  const stop = new StopRequest(() => {
    for (const component of running) void component.kill();
  });
  try {
    // A killed run leaves its file behind. No client should use it while this run starts.
    if (homeOwner(config.home) === undefined) removeRunFile(config.home);
    say(`starting NATS, PostgreSQL and ClickHouse in ${config.home} …`);
    await using stack = await startStack({ ...config, log: say, signal: stop.signal });
    try {
      running.push(...(await startComponents(config, stack, programs, stop.signal)));
      const otlp = running.find((component) => component.otlp)?.otlp;
      writeRunFile(config.home, {
        pid: process.pid,
        nats: stack.urls.nats,
        natsOptions: stack.urls.natsOptions,
        postgres: stack.urls.postgres,
        clickhouse: stack.urls.clickhouse,
        analyst: stack.urls.analyst,
        ...(otlp === undefined ? {} : { otlp }),
        components: Object.fromEntries(running.map(({ name, health }) => [name, { health }])),
      });
      printSummary(config, stack, running, (performance.now() - started) / 1000);
      say(`\nstopping (${await stop.requested}) …`);
    } finally {
      removeRunFile(config.home);
      await stopComponents(running);
    }
  } catch (error) {
    if (!stop.pending) {
      console.error(`trellis: ${(error as Error).message}`);
      return 1;
    }
    say('stopped before everything was up');
    return 0;
  }
  say('stopped');
  return 0;
}

/** Starts the telemetry receivers first, then all others in parallel. Stops all of them if one fails. */
async function startComponents(
  config: LocalConfig,
  stack: Stack,
  programs: readonly ComponentProgram[],
  signal: AbortSignal,
): Promise<Component[]> {
  const present = programs.filter(({ main }) => existsSync(main));
  for (const program of programs) if (!present.includes(program)) say(`${program.name} does not exist, skipped`);
  if (present.length > 0) say(`starting ${present.map(({ name }) => name).join(', ')} …`);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // The URL of an external server as given, because it may contain credentials.
    NATS_URL: config.external.nats ?? stack.urls.nats,
    DATABASE_URL: stack.urls.postgres,
    CLICKHOUSE_URL: stack.urls.clickhouse,
    TRELLIS_HOME: config.home,
    // With a compile cache each component starts faster and never loads the compiler, which takes 20 MB.
    NODE_COMPILE_CACHE: join(config.home, 'compile-cache'),
  };
  const components: Component[] = [];
  for (const receives of [true, false]) {
    // An endpoint that the user has set takes precedence.
    env.OTEL_EXPORTER_OTLP_ENDPOINT ||= components.find((component) => component.otlp)?.otlp;
    const results = await Promise.allSettled(
      present
        .filter((program) => (program.receivesTelemetry ?? false) === receives)
        .map((program) => startComponent({ program, env: { ...env }, logs: stack.logs, log: say, signal })),
    );
    components.push(...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
    if (failures.length === 0) continue;
    await stopComponents(components);
    throw new Error(failures.map((error) => error.message).join('\n'));
  }
  return components;
}

/** Stops the telemetry receivers last, because the others send their remaining telemetry when they stop. */
async function stopComponents(components: readonly Component[]): Promise<void> {
  for (const receives of [false, true]) {
    const some = components.filter(({ otlp }) => (otlp !== undefined) === receives);
    await Promise.all(some.map((component) => component.stop()));
  }
}

function printSummary(config: LocalConfig, stack: Stack, components: readonly Component[], seconds: number): void {
  const { nats, postgres, clickhouse } = stack.urls;
  const urls = { nats, postgres, clickhouse };
  const row = (name: string, version: string, where: string) => `  ${name.padEnd(22)}${version.padEnd(12)}${where}`;
  const servers = stack.servers.map(({ name, version, external }) =>
    row(name, version, withoutPassword(urls[name]) + (external ? ' (external)' : '')),
  );
  say(
    [
      '',
      `Trellis Jobs is up after ${seconds.toFixed(1)} s`,
      '',
      ...servers,
      ...components.map(({ name, health, otlp }) => row(name, '', otlp ? `${otlp} (OTLP)` : `${health}/ready`)),
      '',
      row('addresses', '', `${runFilePath(config.home)} (with passwords)`),
      row('logs', '', stack.logs),
      ...(stack.urls.analyst
        ? [row('analyst', '', `${withoutPassword(stack.urls.analyst)} (SQL, see docs/analytics.md)`)]
        : []),
      '',
      'In another terminal:',
      '  npx trellis jobs list      all jobs',
      '  npx trellis jobs watch     their events, live',
      '  npx trellis jobs trace     the trace of one job',
      '',
      'Ctrl-C stops everything.',
    ].join('\n'),
  );
}
