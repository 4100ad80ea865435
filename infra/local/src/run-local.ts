// The whole local system, from the servers' start to the last process's end.
// How a server or a component is run is left to the dev stack and to components.ts.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { homeOwner, type Stack, startStack, withoutPassword } from '@trellis/devstack';
import { type Component, type ComponentProgram, startComponent } from './components.ts';
import type { LocalConfig } from './config.ts';
import { removeRunFile, runFilePath, writeRunFile } from './run-file.ts';

const say = (line: string) => console.log(line);

/** Whether and why to stop: the first signal in order, the second in a hurry, the third at once. */
class StopRequest {
  readonly asked: Promise<string>;
  readonly #asked = Promise.withResolvers<string>();
  readonly #giveUp = new AbortController();
  readonly #hurry: () => void;
  #count = 0;

  constructor(hurry: () => void) {
    this.asked = this.#asked.promise;
    this.#hurry = hurry;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.#ask(signal));
    // Whoever started this process is gone, without having been able to say so.
    process.on('disconnect', () => this.pending || this.#ask('the starting process ended'));
    // A terminal that was closed must not end the process before its servers.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  }

  get pending(): boolean {
    return this.#count > 0;
  }

  /** Aborted by the first request: gives up what is still starting. */
  get signal(): AbortSignal {
    return this.#giveUp.signal;
  }

  #ask(why: string): void {
    this.#count++;
    if (this.#count === 1) {
      this.#asked.resolve(why);
      this.#giveUp.abort();
    } else if (this.#count === 2) {
      say('again: the components are killed, the servers still stop in order');
      this.#hurry();
    } else {
      // The guard ends what is left.
      process.exit(130);
    }
  }
}

/**
 * Runs the system until a signal, or the end of the starting process, asks it to stop.
 * @returns the exit code: 0 after a stop in order, 1 when something did not start
 */
export async function runLocal(config: LocalConfig, programs: readonly ComponentProgram[]): Promise<number> {
  const started = performance.now();
  const running: Component[] = [];
  const stop = new StopRequest(() => {
    for (const component of running) void component.kill();
  });
  try {
    // A killed run leaves its file; nobody should follow it while this one starts.
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
      say(`\nstopping (${await stop.asked}) …`);
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

/** Starts those that take telemetry, then all others at once; when one fails the others are stopped again. */
async function startComponents(
  config: LocalConfig,
  stack: Stack,
  programs: readonly ComponentProgram[],
  signal: AbortSignal,
): Promise<Component[]> {
  const present = programs.filter(({ main }) => existsSync(main));
  for (const program of programs) if (!present.includes(program)) say(`${program.name} is not there yet, skipped`);
  if (present.length > 0) say(`starting ${present.map(({ name }) => name).join(', ')} …`);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // The URL as it was given when the server is external: it may hold credentials.
    NATS_URL: config.external.nats ?? stack.urls.nats,
    DATABASE_URL: stack.urls.postgres,
    CLICKHOUSE_URL: stack.urls.clickhouse,
    TRELLIS_HOME: config.home,
    // With the compiled code at hand a component starts sooner and never loads the compiler, which would take 20 MB in each.
    NODE_COMPILE_CACHE: join(config.home, 'compile-cache'),
  };
  const components: Component[] = [];
  for (const receives of [true, false]) {
    // Somebody who has a collector of their own wants the telemetry there.
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

/** Those that take telemetry last: the others send what they have left. */
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
      '  npx trellis jobs watch     what happens to them, live',
      '  npx trellis jobs trace     all that one of them touched',
      '',
      'Ctrl-C stops everything.',
    ].join('\n'),
  );
}
