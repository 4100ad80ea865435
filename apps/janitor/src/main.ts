// The janitor: deadlines, dead letters, stale rows and retention, each a duty with a lease of its own.
import { connectionName } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { runComponent, useNats } from '@trellis/runtime';
import { JanitorRows, migrateWhenReachable, openPostgres, PassLedger } from '@trellis/store-postgres';
import { startTelemetry } from '@trellis/telemetry';
import pLimit from 'p-limit';
import { readConfig } from './config.ts';
import { allDuties } from './duties/index.ts';
import { KeyBuckets } from './stream/key-buckets.ts';
import { WorkQueue } from './stream/work-queue.ts';
import { workDuty } from './sweep.ts';

const config = readConfig();

await runComponent({
  name: 'janitor',
  config,
  startTelemetry,
  async start(scope) {
    const { name, instanceId, log, signal, use } = scope;
    const postgres = openPostgres({
      url: config.databaseUrl,
      schema: config.databaseSchema,
      maxConnections: config.databaseConnections,
      applicationName: connectionName(name, instanceId),
      // A janitor that hangs inside a transaction must not hold up the projector.
      settings: { idle_in_transaction_session_timeout: '5s' },
      log,
    });
    use('postgres', postgres, { close: () => postgres.close(), ready: () => postgres.ping() });
    const nats = await useNats(scope, config);
    const names = config.streamNames;
    await provision(nats, { names, replicas: config.streamReplicas, log });
    await migrateWhenReachable(postgres, signal);

    const stream = await JobStream.open(nats, { names, log });
    const duties = allDuties({
      stream,
      rows: new JanitorRows(postgres),
      work: new WorkQueue(stream),
      keys: new KeyBuckets(stream),
      limit: pLimit(config.janitorConcurrency),
      settings: config,
      now: Date.now,
    });
    const ledger = new PassLedger(postgres, instanceId, config.janitorLeaseMs);
    for (const duty of duties) {
      const intervalMs = config.janitorDutyIntervalsMs[duty.name] ?? config.janitorIntervalMs;
      const passes = workDuty(duty, { ledger, intervalMs, signal, log });
      use(duty.name, passes, { close: ({ done }) => done });
    }
  },
});
