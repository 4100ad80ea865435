// Tests' own hand on the records of keys: reads one, and writes what some other process would have left behind.
import { Kvm } from '@nats-io/kv';
import { type KeyRecord, keyBucketName, keyRecordName, readKeyRecord } from '@trellis/contracts';
import { newKeyRecord } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import { resolveKey } from '../index.ts';

/** The template of the tests' queues, all of the job type `work`. */
export const TEMPLATE = ['k', '/origin'];

export function keyOf(service: string, origin: string) {
  const resolved = resolveKey(TEMPLATE, { origin });
  if (resolved.kind === 'refused') throw new Error(resolved.problem);
  return { service, jobType: 'work', key: resolved.key, keyHash: resolved.keyHash };
}

const nameOf = (service: string, origin: string) => keyRecordName(service, 'work', keyOf(service, origin).keyHash);

export async function readRecord(stream: JobStream, service: string, origin: string): Promise<KeyRecord | undefined> {
  const entry = await (await new Kvm(stream.js).open(keyBucketName(service))).get(nameOf(service, origin));
  if (entry === null || entry.operation !== 'PUT') return undefined;
  const read = readKeyRecord(entry.value);
  if (read.kind === 'unreadable') throw new Error(read.reason);
  return read.record;
}

/** Changes what is there, or writes a new record. */
export async function writeRecord(
  stream: JobStream,
  service: string,
  origin: string,
  changes: Partial<KeyRecord>,
): Promise<void> {
  const limits = { maxActive: 1, maxQueuedPerKey: 100 };
  const before =
    (await readRecord(stream, service, origin)) ?? newKeyRecord(keyOf(service, origin), limits, new Date());
  const bucket = await new Kvm(stream.js).open(keyBucketName(service));
  await bucket.put(nameOf(service, origin), JSON.stringify({ ...before, ...changes }));
}
