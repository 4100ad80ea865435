// Reads the key records of the services' buckets from the leader. Never writes.
import { DeliverPolicy, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { sleep } from '@trellis/async';
import {
  Fault,
  type KeyRecord,
  keyBucketName,
  keyRecordFilter,
  keyRecordName,
  readKeyRecord,
} from '@trellis/contracts';
import { type JobStream, whenConnected } from '@trellis/nats';

const DELETED = new Set(['DEL', 'PURGE']);
/** A search through a bucket that takes longer is given up. */
const SEARCH_MS = 5_000;

/** The record of one key; undefined when the key is idle. @throws Error when it cannot be read */
export async function keyRecordOf(
  stream: JobStream,
  { service, type, keyHash }: { service: string; type: string; keyHash: string },
): Promise<KeyRecord | undefined> {
  await whenConnected(stream.nc);
  const bucket = keyBucketName(service);
  const subject = `$KV.${bucket}.${keyRecordName(service, type, keyHash)}`;
  const message = await stream.jsm.streams
    .getMessage(`KV_${bucket}`, { last_by_subj: subject })
    .catch(nothingWithoutBucket);
  if (!message || DELETED.has(message.header?.get('KV-Operation') ?? '')) return undefined;
  const read = readKeyRecord(message.data);
  if (read.kind === 'record') return read.record;
  throw new Error(`the record ${subject} cannot be read: ${read.reason}`);
}

/**
 * The records of a queue that are shown as `key`, found by reading all of the queue's: for keys that no projected job
 * has. @throws {Fault} unavailable, when they are too many to read in time
 */
export async function searchKeyRecords(
  stream: JobStream,
  { service, type, key }: { service: string; type: string; key: string },
): Promise<KeyRecord[]> {
  await whenConnected(stream.nc);
  const bucket = keyBucketName(service);
  const consumer = await stream.js.consumers
    .get(`KV_${bucket}`, {
      filter_subjects: [`$KV.${bucket}.${keyRecordFilter(service, type)}`],
      deliver_policy: DeliverPolicy.LastPerSubject,
    })
    .catch(nothingWithoutBucket);
  if (!consumer) return [];
  const found: KeyRecord[] = [];
  try {
    if ((await consumer.info(true)).num_pending === 0) return found;
    const messages = await consumer.consume({ max_messages: 1_000 });
    const timer = new AbortController();
    let late = false;
    void sleep(SEARCH_MS, timer.signal).then(() => {
      late = !timer.signal.aborted;
      return messages.close();
    });
    try {
      for await (const message of messages) {
        const read = readKeyRecord(message.data);
        if (read.kind === 'record' && read.record.key === key) found.push(read.record);
        if (message.info.pending === 0) break;
      }
    } finally {
      timer.abort();
    }
    if (late) throw new Fault('unavailable', `the keys of ${service}/${type} could not be read in time; try again`);
    return found;
  } finally {
    await consumer.delete().catch(() => undefined);
  }
}

function nothingWithoutBucket(error: unknown): null {
  if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
  throw error;
}
