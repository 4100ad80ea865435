// The janitor as a process: what is connected to what.
import { connectNats, JobStream, provision } from '@trellis/nats';
import { createLogger, runComponent, telemetryOf } from '@trellis/runtime';
import { JanitorRows, migrateWhenReachable, openPostgres, PassLedger } from '@trellis/store-postgres';
import { startTelemetry } from '@trellis/telemetry';
import pLimit from 'p-limit';
import { readConfig } from './config.ts';
import { allDuties } from './duties/index.ts';
import { KeyBuckets } from './key-buckets.ts';
import { workDuty } from './sweep.ts';
import { WorkQueue } from './work-queue.ts';

const config = readConfig();
const telemetry = startTelemetry(telemetryOf(config, 'janitor'));
const log = createLogger({ name: 'janitor', level: config.logLevel, instanceId: config.instanceId });

await runComponent({
  name: 'janitor',
  config,
  log,
  telemetry,
  async start(scope) {
    const postgres = openPostgres({
      url: config.databaseUrl,
      schema: config.databaseSchema,
      maxConnections: config.databaseConnections,
      applicationName: `trellis-janitor ${config.instanceId}`,
      // A janitor that stands still in the middle of a transaction must not hold the projector up.
      settings: { idle_in_transaction_session_timeout: '5s' },
      log,
    });
    scope.onStop(() => postgres.close());
    const nc = await connectNats({ url: config.natsUrl, options: config.natsOptions, name: 'trellis-janitor', log });
    scope.onStop(() => nc.drain());

    const names = config.streamNames;
    await provision(nc, { names, replicas: config.streamReplicas, log });
    await migrateWhenReachable(postgres, scope.signal);

    const stream = await JobStream.open(nc, { names, log });
    const duties = allDuties({
      stream,
      rows: new JanitorRows(postgres),
      work: new WorkQueue(stream),
      keys: new KeyBuckets(stream),
      limit: pLimit(config.janitorConcurrency),
      settings: config,
      now: Date.now,
    });
    const ledger = new PassLedger(postgres, config.instanceId, config.janitorLeaseMs);
    const loops = duties.map((duty) => {
      const intervalMs = config.janitorDutyIntervalsMs[duty.name] ?? config.janitorIntervalMs;
      return workDuty(duty, { ledger, intervalMs, signal: scope.signal, log });
    });
    scope.onStop(async () => void (await Promise.all(loops.map(({ done }) => done))));

    scope.ready('nats', async () => void (await nc.rtt()));
    scope.ready('postgres', () => postgres.ping());
  },
});
