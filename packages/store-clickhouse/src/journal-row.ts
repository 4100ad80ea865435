// Encodes one message of the stream as a journal row: a lifecycle event with all its fields, or a quarantined message.
// Writes the columns in the order of queries/insert-journal.sql.
import {
  type Decoded,
  type LifecycleEvent,
  millisOf,
  optionalEventFields,
  parseEventSubject,
  type Quarantined,
  requiredEventFields,
  type StoredMessage,
} from '@trellis/contracts';
import { type JsonField, JsonFieldReader } from './json-fields.ts';
import type { RowBinaryWriter } from './row-binary.ts';

export interface JournalRow {
  generation: number;
  message: StoredMessage;
  /** The result of `decodeEvent`. */
  decoded: Decoded;
  /** The message was quarantined before. */
  released: boolean;
}

/** Appends one row. */
export function writeJournalRow(out: RowBinaryWriter, row: JournalRow): void {
  const { generation, message, decoded, released } = row;
  out.uint32(generation);
  out.int64(message.sequence);
  const storedAt = millisOf(message.storedAt);
  out.int64(storedAt);
  if (decoded.kind === 'event') {
    writeEvent(out, message, decoded.stored.event, decoded.droppedFields, storedAt);
    writeNoQuarantine(out);
  } else {
    writeSubjectOnly(out, message, storedAt);
    writeQuarantined(out, decoded.quarantined);
  }
  out.bool(released);
}

const published = new JsonFieldReader([...Object.keys(requiredEventFields), ...Object.keys(optionalEventFields)]);
const KNOWN_CONTEXT: ReadonlySet<string> = new Set(['requestId', 'traceId', 'traceparent', 'tracestate']);
const KNOWN_ACTOR: ReadonlySet<string> = new Set(['kind', 'id']);

function writeEvent(
  out: RowBinaryWriter,
  message: StoredMessage,
  event: LifecycleEvent,
  dropped: readonly string[],
  storedAt: number,
): void {
  const json = message.data;
  published.read(json);
  const extra = new ExtraFields();
  for (const field of published.unexpected) extra.add(field.name, textAt(json, field));
  for (const name of dropped) {
    const field = published.find(name);
    if (field) extra.add(name, name === 'concurrency' ? withoutSlotToken(json, field) : textAt(json, field));
  }
  const { context, actor } = event;
  extra.addUnknown('context', context, KNOWN_CONTEXT);
  if (actor) extra.addUnknown('actor', actor, KNOWN_ACTOR);

  const timestamp = storableTime(event.timestamp);
  if (timestamp === undefined) extra.add('timestamp', JSON.stringify(event.timestamp));
  const deadline = event.deadline === undefined ? undefined : storableTime(event.deadline);
  if (event.deadline !== undefined && deadline === undefined) extra.add('deadline', JSON.stringify(event.deadline));
  /** Writes a field's text as published; nothing when it is absent or invalid. */
  const asPublished = (name: string, value: unknown) => {
    const field = value === undefined ? undefined : published.find(name);
    if (field === undefined) out.text(undefined);
    else out.raw(json, field.start, field.end);
  };

  out.int64(timestamp ?? storedAt);
  out.text(event.service);
  out.text(event.jobType);
  out.text(event.jobId);
  out.text(event.eventType);
  out.text(event.state);
  out.text(event.previousState);
  out.uint32(event.tries);
  out.isNull(event.maxTries === undefined);
  if (event.maxTries !== undefined) out.uint32(event.maxTries);
  out.text(event.error);
  out.text(context.requestId);
  out.text(context.traceId);
  out.text(context.traceparent);
  out.text(context.tracestate);
  out.text(event.attemptTraceparent);
  asPublished('payload', event.payload);
  asPublished('result', event.result);
  asPublished('progress', event.progress);
  if (dropped.includes('logs')) out.text(event.logs?.length ? JSON.stringify(event.logs) : undefined);
  else asPublished('logs', event.logs?.length ? event.logs : undefined);
  const concurrency = event.concurrency === undefined ? undefined : published.find('concurrency');
  out.text(concurrency && withoutSlotToken(json, concurrency));
  asPublished('queuePolicy', event.queuePolicy);
  out.isNull(deadline === undefined);
  if (deadline !== undefined) out.int64(deadline);
  out.text(event.instanceId);
  out.text(event.workerVersion);
  out.isNull(event.workSequence === undefined);
  if (event.workSequence !== undefined) out.int64(event.workSequence);
  out.bool(event.handedBack === true);
  out.text(actor?.kind);
  out.text(actor?.id);
  out.text(event.reason);
  out.text(extra.toJson());
}

function writeNoQuarantine(out: RowBinaryWriter): void {
  for (let column = 0; column < 5; column++) out.text(undefined);
}

/** The event columns of a quarantined message, as far as its subject has them. */
function writeSubjectOnly(out: RowBinaryWriter, message: StoredMessage, storedAt: number): void {
  const subject = parseEventSubject(message.subject);
  out.int64(storedAt);
  out.text(subject?.service);
  out.text(subject?.jobType);
  out.text(subject?.jobId);
  out.text(subject?.eventType);
  out.text(undefined); // state
  out.text(undefined); // previous_state
  out.uint32(0); // tries
  out.isNull(true); // max_tries
  // error, request_id, trace_id, traceparent, tracestate, attempt_traceparent,
  // payload, result, progress, logs, concurrency, queue_policy
  for (let column = 0; column < 12; column++) out.text(undefined);
  out.isNull(true); // deadline
  out.text(undefined); // instance_id
  out.text(undefined); // worker_version
  out.isNull(true); // work_sequence
  out.bool(false); // handed_back
  for (let column = 0; column < 4; column++) out.text(undefined); // actor_kind, actor_id, reason, extra
}

function writeQuarantined(out: RowBinaryWriter, quarantined: Quarantined): void {
  out.text(quarantined.subject);
  out.text(quarantined.code);
  out.text(quarantined.reason);
  out.text(quarantined.storeCode);
  out.raw(quarantined.data);
}

const textAt = (json: Uint8Array, { start, end }: JsonField): string =>
  Buffer.from(json.subarray(start, end)).toString();

const concurrencyFields = new JsonFieldReader(['slotToken']);

/** The text of `concurrency` without `slotToken`: the token is a secret of the lease holder. */
function withoutSlotToken(json: Uint8Array, field: JsonField): string {
  const value = json.subarray(field.start, field.end);
  if (value[0] !== OPEN_OBJECT) return textAt(json, field);
  concurrencyFields.read(value);
  if (concurrencyFields.find('slotToken') === undefined) return textAt(json, field);
  const kept = concurrencyFields.unexpected.map((member) => `${JSON.stringify(member.name)}:${textAt(value, member)}`);
  return `{${kept.join(',')}}`;
}

const OPEN_OBJECT = 0x7b;
const EARLIEST = Date.UTC(1900, 0, 1);
const LATEST = Date.UTC(2300, 0, 1) - 1;

/** Milliseconds since 1970, or undefined when a DateTime64 cannot hold the instant. */
function storableTime(instant: string): number | undefined {
  const millis = millisOf(instant);
  return millis >= EARLIEST && millis <= LATEST ? millis : undefined;
}

/** Collects the fields that have no column. */
class ExtraFields {
  #members: string[] | undefined;

  /** @param json the value's JSON text */
  add(name: string, json: string): void {
    this.#members ??= [];
    this.#members.push(`${JSON.stringify(name)}:${json}`);
  }

  addUnknown(name: string, value: Record<string, unknown>, known: ReadonlySet<string>): void {
    let unknown: [string, unknown][] | undefined;
    for (const key in value) {
      if (known.has(key)) continue;
      unknown ??= [];
      unknown.push([key, value[key]]);
    }
    if (unknown) this.add(name, JSON.stringify(Object.fromEntries(unknown)));
  }

  toJson(): string | undefined {
    return this.#members && `{${this.#members.join(',')}}`;
  }
}
