// How far the history pipeline has come, from the record that it keeps in a key-value bucket.
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { decodePipelineRecord, PIPELINE_RECORD_KEY } from '@trellis/contracts';
import { type JobStream, whenConnected } from '@trellis/nats';

export interface HistoryPosition {
  /** Up to this sequence everything is in the history. */
  position: number;
  /** Creation time of the stream that it is the history of. */
  streamCreated: string;
}

/** @returns undefined when the history pipeline has never run. @throws when its record is unreadable */
export async function historyPosition(stream: JobStream, bucket: string): Promise<HistoryPosition | undefined> {
  await whenConnected(stream.nc);
  try {
    const kv = await new Kvm(stream.js).open(bucket);
    const entry = await kv.get(PIPELINE_RECORD_KEY);
    return entry?.operation === 'PUT' ? decodePipelineRecord(entry.string()) : undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw error;
  }
}
