// A message of the JOBS stream as this package reads it.
import type { MsgHdrs } from '@nats-io/transport-node';
import type { StoredMessage } from '@trellis/contracts';

/** A stored message together with its headers. */
export interface StreamMessage extends StoredMessage {
  headers: MsgHdrs | undefined;
}

export interface StreamFeatures {
  /** Conditional publish over a subject filter (server 2.11). */
  conditionalFilter: boolean;
  /** Several last messages in one direct get (server 2.11). */
  multiGet: boolean;
  /** Atomic batches (server 2.12). */
  atomicBatch: boolean;
}
