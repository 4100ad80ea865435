// The heartbeat aggregator as a process: what is connected to what.
import { loop, sleep } from '@trellis/async';
import { connectNats, JobStream, provision } from '@trellis/nats';
import { boundYoungGeneration, createLogger, expectNothingToStay, runComponent, telemetryOf } from '@trellis/runtime';
import { migrateWhenReachable, openPostgres, PresenceStore } from '@trellis/store-postgres';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { keepPresence, newCounts } from './keep-presence.ts';
import { PresenceMetrics } from './presence-metrics.ts';

const REPORT_EVERY_MS = 60_000;
const BOUND_MEMORY_EVERY_MS = 1_000;

/** Enough for what thousands of heartbeats a second allocate from one collection to the next; V8 would go up to 128 MB. */
const YOUNG_BYTES = 32 * 2 ** 20;
expectNothingToStay();

const config = readConfig();
const telemetry = startTelemetry(telemetryOf(config, 'heartbeat-aggregator'));
const log = createLogger({ name: 'heartbeat-aggregator', level: config.logLevel, instanceId: config.instanceId });

await runComponent({
  name: 'heartbeat-aggregator',
  config,
  log,
  telemetry,
  async start(scope) {
    const postgres = openPostgres({
      url: config.databaseUrl,
      schema: config.databaseSchema,
      maxConnections: 3,
      applicationName: `trellis-heartbeat-aggregator ${config.instanceId}`,
      // What is lost in a crash of the server is heard again.
      settings: { synchronous_commit: 'off' },
      log,
    });
    scope.onStop(() => postgres.close());
    const nc = await connectNats({ url: config.natsUrl, options: config.natsOptions, name: 'trellis-presence', log });
    scope.onStop(() => nc.drain());

    const names = config.streamNames;
    await provision(nc, { names, replicas: config.streamReplicas, log });
    await migrateWhenReachable(postgres, scope.signal);

    const stream = await JobStream.open(nc, { names, log });
    // The lease is renewed by each flush.
    const store = new PresenceStore(postgres, {
      leaseMs: Math.max(config.presenceLeaseMs, 3 * config.presenceFlushMs),
    });
    const counts = newCounts();
    const metrics = new PresenceMetrics();
    let takeOver = true;
    let settled = false;
    const keeping = loop('presence', {
      signal: scope.signal,
      log,
      run: async (signal) => {
        const first = takeOver;
        takeOver = false;
        await keepPresence({
          stream,
          store,
          settings: config,
          signal,
          log,
          counts,
          metrics,
          takeOver: first,
          settled: () => {
            settled = true;
          },
        });
      },
    });
    scope.onStop(() => keeping.done);
    const reporting = loop('report of presence', {
      signal: scope.signal,
      log,
      run: async (signal) => {
        await sleep(REPORT_EVERY_MS, signal);
        log.info({ counts: { ...counts } }, 'presence since the start');
      },
    });
    scope.onStop(() => reporting.done);
    const bounding = loop('bound of memory', {
      signal: scope.signal,
      log,
      run: async (signal) => {
        boundYoungGeneration(YOUNG_BYTES);
        await sleep(BOUND_MEMORY_EVERY_MS, signal);
      },
    });
    scope.onStop(() => bounding.done);

    scope.ready('nats', async () => void (await nc.rtt()));
    scope.ready('postgres', () => postgres.ping());
    scope.ready('presence', () => {
      if (!settled) throw new Error('not everybody was heard yet');
      if (keeping.lastError !== undefined) throw new Error('presence is not kept now', { cause: keeping.lastError });
    });
  },
});
