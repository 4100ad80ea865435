// Which package may import which: the one list. boundaries.ts makes the linter's rules from it, and boundaries.test.ts
// checks that every package of the workspace is named here.

/** From the bottom up. A package may import the packages of lower layers, none of its own layer and none above. */
export const LAYERS: readonly (readonly string[])[] = [
  ['packages/contracts', 'packages/async'],
  ['packages/lifecycle', 'packages/instrumentation'],
  ['packages/nats'],
  ['packages/client', 'packages/store-postgres', 'packages/store-clickhouse'],
  ['packages/store-traces', 'packages/runtime'],
  ['packages/telemetry', 'packages/jobs'],
  ['packages/example-service'],
];

/** Programs. Nobody imports them. */
export const APPS: readonly string[] = [
  'apps/cli',
  'apps/heartbeat-aggregator',
  'apps/janitor',
  'apps/orders-service',
  'apps/otel-receiver',
  'apps/projector',
  'apps/rpc-gateway',
  'apps/zendesk-sync',
];

/** Test servers and test helpers: only tests, `testing/` folders and the tools below import them. */
export const TEST_PACKAGES: readonly string[] = ['packages/devstack', 'test/support'];

/** Programs of the repository itself: they may import every package. */
export const TOOLS: readonly string[] = ['infra/check', 'infra/local', 'test/bench', 'test/e2e'];
