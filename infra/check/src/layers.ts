// Which package may import which. boundaries.ts generates the linter's rules from this list, and boundaries.test.ts
// checks that it names every package of the workspace.

/** From the bottom up. A package may import packages of lower layers only. */
export const LAYERS: readonly (readonly string[])[] = [
  ['packages/contracts', 'packages/async'],
  ['packages/lifecycle', 'packages/instrumentation'],
  ['packages/nats'],
  ['packages/client', 'packages/store-postgres', 'packages/store-clickhouse'],
  ['packages/store-traces', 'packages/runtime'],
  ['packages/telemetry', 'packages/jobs'],
  ['packages/example-service'],
];

/** Programs. No package imports them. */
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
