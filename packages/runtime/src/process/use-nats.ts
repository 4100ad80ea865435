// The connection to NATS of a component.

import type { NatsConnection } from '@nats-io/transport-node';
import { connectionName } from '@trellis/contracts';
import { connectNats } from '@trellis/nats';
import type { ComponentScope } from './run-component.ts';

/** Connects under the component's name; GET /ready checks the connection, and it is drained at stop. */
export async function useNats(
  { name, instanceId, log, use }: ComponentScope,
  { natsUrl, natsOptions }: { natsUrl: string; natsOptions: Record<string, unknown> },
): Promise<NatsConnection> {
  const nats = await connectNats({ url: natsUrl, options: natsOptions, name: connectionName(name, instanceId), log });
  return use('nats', nats, { close: () => nats.drain(), ready: async () => void (await nats.rtt()) });
}
