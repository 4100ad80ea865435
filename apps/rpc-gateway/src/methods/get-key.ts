// Jobs.GetKey: who holds a key and who waits for it, read from the service's bucket as it is now (docs/protocol.md#keys).
import { Fault, type GetKeyRequest, KeyHash, type KeyRecord, type KeyStatus } from '@trellis/contracts';
import { toKeyStatus } from '@trellis/lifecycle';
import { keyRecordOf, searchKeyRecords } from '../reads/key-records.ts';
import { defineMethod, type Ports } from '../rpc/method.ts';

export const getKey = defineMethod({
  name: 'Jobs.GetKey',
  async answer(request: GetKeyRequest, _call, ports): Promise<KeyStatus> {
    const { keyHash, record } = await findKey(request, ports);
    return record ? toKeyStatus(record, new Date()) : idle(request, keyHash);
  },
});

interface FoundKey {
  keyHash: string;
  /** Undefined while nobody holds the key or waits for it. */
  record: KeyRecord | undefined;
}

/** A display key does not determine its hash (`1` and `"1"` look alike): the projection's jobs decide, else the bucket. */
async function findKey({ service, type, key }: GetKeyRequest, { reader, stream }: Ports): Promise<FoundKey> {
  const known = await reader.keyHashes(service, type, key);
  if (known.length > 1) throw ambiguous(key, known);
  const [keyHash] = known;
  if (keyHash !== undefined) return { keyHash, record: await keyRecordOf(stream, { service, type, keyHash }) };
  // For an ambiguous key, callers give its hash.
  if (KeyHash.safeParse(key).success) {
    const record = await keyRecordOf(stream, { service, type, keyHash: key });
    if (record) return { keyHash: key, record };
  }
  const [record, ...others] = await searchKeyRecords(stream, { service, type, key });
  if (!record)
    throw new Fault('not-found', `no job of ${service}/${type} has ever had the key ${key}`, { resource: 'key' });
  if (others.length > 0)
    throw ambiguous(
      key,
      [record, ...others].map((one) => one.keyHash),
    );
  return { keyHash: record.keyHash, record };
}

const ambiguous = (key: string, keyHashes: string[]): Fault =>
  new Fault(
    'invalid-request',
    `key: several keys are shown as ${key}; give the hash of one instead: ${keyHashes.join(', ')}`,
    { context: { issues: [{ field: 'key', message: 'several keys are shown like this' }], keyHashes } },
  );

const idle = ({ service, type, key }: GetKeyRequest, keyHash: string): KeyStatus => ({
  service,
  type,
  key,
  keyHash,
  active: [],
  queued: [],
  queuedDepth: 0,
  staleTakeoverCount: 0,
});
