// Encodes changed jobs as parameters of insert-jobs and update-jobs: one array for each column, in the order of the statements.
import type { FoldedJob } from '@trellis/lifecycle';
import type { JobChange } from '../projection/job-change.ts';
import { BinaryArray } from './binary-array.ts';

/** Limits of one statement: large enough to amortise its cost, small enough to be in memory twice. */
const CHUNK_ROWS = 1_000;
const CHUNK_BYTES = 4_000_000;

/** The parameters of insert-jobs, chunk by chunk; encodes each chunk when the iterator reaches it. */
export function* insertParameters(changes: readonly JobChange[]): Generator<Buffer[]> {
  for (const [chunk, bodies] of inChunks(changes)) yield [...mutableColumns(chunk, bodies), ...immutableColumns(chunk)];
}

/** The same for update-jobs. */
export function* updateParameters(changes: readonly JobChange[]): Generator<Buffer[]> {
  for (const [chunk, bodies] of inChunks(changes)) yield mutableColumns(chunk, bodies);
}

/** Encodes payloads and results first: they may be large, and their size decides how many rows a chunk has. */
function* inChunks(changes: readonly JobChange[]): Generator<[JobChange[], Bodies]> {
  let start = 0;
  const rows = Math.min(CHUNK_ROWS, changes.length);
  let bodies = new Bodies(rows);
  for (const [index, change] of changes.entries()) {
    bodies.add(change);
    const end = index + 1;
    if (end - start < CHUNK_ROWS && bodies.bytes < CHUNK_BYTES && end < changes.length) continue;
    yield [changes.slice(start, end), bodies];
    start = end;
    bodies = new Bodies(rows);
  }
}

class Bodies {
  readonly payload: BinaryArray;
  /** Size of the payload as JSON, in bytes. Payload and size are null when the payload did not change. */
  readonly payloadBytes: BinaryArray;
  readonly result: BinaryArray;
  /** What to do with the result in the row: `set`, `clear`, or null to keep it. */
  readonly resultChange: BinaryArray;

  /** @param rows expected number of rows */
  constructor(rows: number) {
    this.payload = new BinaryArray('jsonb', 256 * rows);
    this.payloadBytes = new BinaryArray('bigint', 12 * rows);
    this.result = new BinaryArray('jsonb', 64 * rows);
    this.resultChange = new BinaryArray('text', 8 * rows);
  }

  get bytes(): number {
    return this.payload.size + this.result.size;
  }

  add({ before, job, restarted }: JobChange): void {
    const base = restarted ? undefined : before;
    if (base !== undefined && base.payload === job.payload) {
      this.payload.null();
      this.payloadBytes.null();
    } else {
      const text = JSON.stringify(job.payload ?? null);
      this.payload.jsonb(text);
      this.payloadBytes.bigint(Buffer.byteLength(text));
    }
    const changed = base === undefined || base.result !== job.result;
    if (changed && job.result !== undefined) this.result.jsonb(JSON.stringify(job.result));
    else this.result.null();
    if (changed) this.resultChange.text(job.result === undefined ? 'clear' : 'set');
    else this.resultChange.null();
  }
}

const mutableColumns = (changes: readonly JobChange[], bodies: Bodies): Buffer[] => [
  texts(changes, (job) => job.id),
  texts(changes, (job) => job.state),
  numbers(changes, (job) => job.tries),
  numbers(changes, (job) => job.maxTries),
  instants(changes, (job) => job.updatedAt),
  instants(changes, (job) => job.startedAt),
  instants(changes, (job) => job.completedAt),
  instants(changes, (job) => job.deadline),
  instants(changes, (job) => job.cancelRequestedAt),
  texts(changes, (job) => job.lastError),
  texts(changes, (job) => job.instanceId),
  bodies.payload.toParameter(),
  bodies.payloadBytes.toParameter(),
  bodies.result.toParameter(),
  bodies.resultChange.toParameter(),
  objects(changes, (job) => job.progress),
  objects(changes, (job) => job.concurrency),
  objects(changes, (job) => job.queuePolicy),
  booleans(changes, (job) => job.handedBack),
  numbers(changes, (job) => job.originSequence),
  instants(changes, (job) => job.originAt),
  numbers(changes, (job) => job.lastSequence),
];

/** Columns that never change while the job has its row. */
const immutableColumns = (changes: readonly JobChange[]): Buffer[] => [
  texts(changes, (job) => job.service),
  texts(changes, (job) => job.type),
  texts(changes, (job) => job.context.requestId),
  texts(changes, (job) => job.context.traceId),
  texts(changes, (job) => job.context.traceparent),
  texts(changes, (job) => job.context.tracestate),
  instants(changes, (job) => job.createdAt),
  booleans(changes, (job) => job.headMissing),
  numbers(changes, (job) => job.firstSequence),
];

function texts(changes: readonly JobChange[], read: (job: FoldedJob) => string | undefined): Buffer {
  const array = new BinaryArray('text', 36 * changes.length);
  for (const { job } of changes) {
    const value = read(job);
    if (value === undefined) array.null();
    else array.text(value);
  }
  return array.toParameter();
}

/** As bigint even when the column is smaller: a number out of its range is refused, not truncated. */
function numbers(changes: readonly JobChange[], read: (job: FoldedJob) => number): Buffer {
  const array = new BinaryArray('bigint', 12 * changes.length);
  for (const { job } of changes) array.bigint(read(job));
  return array.toParameter();
}

function booleans(changes: readonly JobChange[], read: (job: FoldedJob) => boolean): Buffer {
  const array = new BinaryArray('boolean', 5 * changes.length);
  for (const { job } of changes) array.boolean(read(job));
  return array.toParameter();
}

function instants(changes: readonly JobChange[], read: (job: FoldedJob) => string | undefined): Buffer {
  const array = new BinaryArray('timestamptz', 12 * changes.length);
  for (const { job } of changes) {
    const value = read(job);
    if (value === undefined) array.null();
    else array.timestamptz(value);
  }
  return array.toParameter();
}

function objects(changes: readonly JobChange[], read: (job: FoldedJob) => object | undefined): Buffer {
  const array = new BinaryArray('jsonb', 8 * changes.length);
  for (const { job } of changes) {
    const value = read(job);
    if (value === undefined) array.null();
    else array.jsonb(JSON.stringify(value));
  }
  return array.toParameter();
}
