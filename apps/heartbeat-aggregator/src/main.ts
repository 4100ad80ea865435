// The heartbeat aggregator: which workers live, and what they work on.
import { connectionName } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { expectNothingToStay, runComponent, useNats } from '@trellis/runtime';
import { migrateWhenReachable, openPostgres, PresenceStore } from '@trellis/store-postgres';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { runPresence } from './run-presence.ts';

expectNothingToStay();

const settings = readConfig();

await runComponent({
  name: 'heartbeat-aggregator',
  config: settings,
  startTelemetry,
  async start(scope) {
    const { name, instanceId, log, signal, use } = scope;
    const postgres = openPostgres({
      url: settings.databaseUrl,
      schema: settings.databaseSchema,
      maxConnections: 3,
      applicationName: connectionName(name, instanceId),
      // What a crash of the server loses is heard again.
      settings: { synchronous_commit: 'off' },
      log,
    });
    use('postgres', postgres, { close: () => postgres.close(), ready: () => postgres.ping() });
    const nats = await useNats(scope, settings);
    const names = settings.streamNames;
    await provision(nats, { names, replicas: settings.streamReplicas, log });
    await migrateWhenReachable(postgres, signal);

    const stream = await JobStream.open(nats, { names, log });
    // Each flush renews the lease.
    const leaseMs = Math.max(settings.presenceLeaseMs, 3 * settings.presenceFlushMs);
    runPresence(scope, { stream, store: new PresenceStore(postgres, { leaseMs }), settings });
  },
});
