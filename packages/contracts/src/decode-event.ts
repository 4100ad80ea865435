// Reads one message of the JOBS stream: either a lifecycle event, or the reason why it goes to quarantine.
// Liberal where the protocol is (unknown fields, odd optional fields), strict in what identifies a job.
import { z } from 'zod';
import {
  INT_MAX,
  type JobContext,
  type LifecycleEvent,
  LogEntry,
  optionalEventFields,
  requiredEventFields,
  type StoredEvent,
} from './event.ts';
import { isEventType, isSubjectOf, MAX_JOB_ID_LENGTH, parseEventSubject } from './names.ts';
import { JOB_STATES } from './state.ts';
import { readInstant } from './time.ts';

/** Deepest nesting of arrays and objects that every store and reader accepts. */
export const MAX_NESTING = 1_000;

export const QUARANTINE_CODES = [
  'not-json',
  'bad-subject',
  'unknown-event',
  'missing-field',
  'bad-field',
  'subject-mismatch',
  'foreign-owner',
  'unstorable',
  'store-refused',
] as const;
export type QuarantineCode = (typeof QUARANTINE_CODES)[number];

export interface StoredMessage {
  subject: string;
  sequence: number;
  /** When the stream stored it, RFC 3339 UTC. */
  storedAt: string;
  data: Uint8Array;
}

export interface Quarantined {
  sequence: number;
  storedAt: string;
  subject: string;
  code: QuarantineCode;
  /** What is wrong, naming the field and what was expected. */
  reason: string;
  /** The store's own error code where one refused, or would refuse, the content (SQLSTATE). */
  storeCode?: string;
  data: Uint8Array;
}

export type Decoded =
  | { kind: 'event'; stored: StoredEvent /** optional fields that were odd and left out */; droppedFields: string[] }
  | { kind: 'quarantined'; quarantined: Quarantined };

const utf8 = new TextDecoder('utf-8', { fatal: true });
const required = z.looseObject(requiredEventFields);
const { payload: _payload, result: _result, logs: _logs, ...checked } = optionalEventFields;
const optionalCheckers = Object.entries(checked) as [string, z.ZodType][];

/** Reads one stream message. Never throws. */
export function decodeEvent(message: StoredMessage): Decoded {
  const content = readContent(message.data);
  if (!isUsual(message, content)) {
    const problem = findProblem(message, content);
    if (problem) return { kind: 'quarantined', quarantined: { ...pick(message), ...problem, data: message.data } };
  }
  const event = content.body as LifecycleEvent;
  const droppedFields = readOptionalFields(event);
  return { kind: 'event', stored: { sequence: message.sequence, storedAt: message.storedAt, event }, droppedFields };
}

const pick = ({ sequence, storedAt, subject }: StoredMessage) => ({ sequence, storedAt, subject });

interface Content {
  /** Empty when it is no UTF-8. */
  text: string;
  body: unknown;
  /** Why it is no JSON. */
  error?: unknown;
}

function readContent(data: Uint8Array): Content {
  let text = '';
  try {
    text = utf8.decode(data);
    return { text, body: JSON.parse(text) };
  } catch (error) {
    return { text, body: undefined, error };
  }
}

const STATES: ReadonlySet<unknown> = new Set(JOB_STATES);

/**
 * A quick check accepts the usual event without the schema, which is slow for so many: all required fields are there, the
 * owner is that of the subject, and every store accepts it. For any other event `findProblem` names what is wrong.
 */
function isUsual({ subject }: StoredMessage, { text, body }: Content): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const raw = body as Record<string, unknown>;
  const { service, jobType, jobId, eventType, state, tries, timestamp } = raw;
  const context = raw.context as Partial<Record<keyof JobContext, unknown>> | null | undefined;
  if (typeof service !== 'string' || typeof jobType !== 'string' || typeof jobId !== 'string') return false;
  if (typeof eventType !== 'string' || !isEventType(eventType) || jobId.length > MAX_JOB_ID_LENGTH) return false;
  if (!isSubjectOf(subject, service, jobType, jobId, eventType)) return false;
  if (!STATES.has(state) || !Number.isInteger(tries) || (tries as number) < 0 || (tries as number) > INT_MAX)
    return false;
  if (typeof context !== 'object' || context === null || Array.isArray(context)) return false;
  if (typeof context.requestId !== 'string' || typeof context.traceId !== 'string') return false;
  if (typeof context.traceparent !== 'string') return false;
  if (context.tracestate !== undefined && typeof context.tracestate !== 'string') return false;
  if (eventType === 'created' && raw.payload === undefined) return false;
  const instant = typeof timestamp === 'string' ? readInstant(timestamp) : undefined;
  if (instant === undefined || hasOddEscapes(text) || !isModest(raw, 1)) return false;
  if (instant !== timestamp) raw.timestamp = instant;
  return true;
}

type Problem = Pick<Quarantined, 'code' | 'reason' | 'storeCode'>;

/** Why a message goes to the quarantine; undefined when it does not. Normalises the required fields. */
function findProblem(message: StoredMessage, content: Content): Problem | undefined {
  const subject = parseEventSubject(message.subject);
  if (!subject) return { code: 'bad-subject', reason: 'expected trellis.jobs.<service>.<type>.<jobId>.<event>' };
  if (!isEventType(subject.eventType)) {
    return { code: 'unknown-event', reason: `unknown event "${subject.eventType}"` };
  }
  if (subject.jobId.length > MAX_JOB_ID_LENGTH) {
    const reason = `jobId: expected at most ${MAX_JOB_ID_LENGTH} characters`;
    return { code: 'unstorable', reason, storeCode: '54000' };
  }

  const { text, body, error } = content;
  if ('error' in content) return { code: 'not-json', reason: error instanceof Error ? error.message : String(error) };
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { code: 'bad-field', reason: 'body: expected a JSON object' };
  }
  const raw = body as Record<string, unknown>;

  const parsed = required.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? 'body';
    const missing = issue !== undefined && valueAt(raw, issue.path) === undefined;
    return {
      code: missing ? 'missing-field' : 'bad-field',
      reason: `${field}: ${missing ? 'required field is missing' : issue?.message}`,
    };
  }
  for (const field of ['service', 'jobType', 'jobId', 'eventType'] as const) {
    if (parsed.data[field] !== subject[field]) {
      return {
        code: 'subject-mismatch',
        reason: `${field}: the body says "${parsed.data[field]}", the subject "${subject[field]}"`,
      };
    }
  }
  if (subject.eventType === 'created' && raw.payload === undefined) {
    return { code: 'missing-field', reason: 'payload: required field is missing' };
  }
  const unstorable = findUnstorable(text, raw);
  if (unstorable) return { code: 'unstorable', ...unstorable };
  content.body = parsed.data;
  return undefined;
}

/** Normalises optional fields and drops odd ones. @returns the names of the dropped ones */
function readOptionalFields(event: LifecycleEvent): string[] {
  const raw: Record<string, unknown> = event;
  const droppedFields: string[] = [];
  for (const [field, schema] of optionalCheckers) {
    const value = raw[field];
    if (value === undefined || isUsualField(field, value)) continue;
    const result = value === null ? undefined : schema.safeParse(value);
    if (result?.success) event[field] = result.data;
    else {
      delete event[field];
      if (value !== null) droppedFields.push(field);
    }
  }
  if (raw.logs !== undefined) {
    const lines = Array.isArray(raw.logs) ? raw.logs : [];
    const good = lines.flatMap((line) => {
      const entry = LogEntry.safeParse(line);
      return entry.success ? [entry.data] : [];
    });
    if (good.length < lines.length || !Array.isArray(raw.logs)) droppedFields.push('logs');
    event.logs = good;
  }
  return droppedFields;
}

/** Whether an optional field is plainly valid without its schema. */
function isUsualField(field: string, value: unknown): boolean {
  switch (field) {
    case 'maxTries':
      return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= INT_MAX;
    case 'previousState':
      return STATES.has(value);
    case 'error':
    case 'instanceId':
    case 'reason':
    case 'attemptTraceparent':
    case 'workerVersion':
      return typeof value === 'string';
    case 'workSequence':
      return Number.isSafeInteger(value) && (value as number) >= 0;
    default:
      return false;
  }
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

interface Unstorable {
  reason: string;
  storeCode: string;
}

/**
 * Whether JSON text made by `JSON.stringify`, which writes no number that is no double, may hold what a store would refuse.
 * False is certain, true only a suspicion.
 */
export function mayBeUnstorable(text: string): boolean {
  return hasOddEscapes(text) || nestingBound(text) > MAX_NESTING;
}

const hasOddEscapes = (text: string): boolean => text.includes('\\u') && /\\u(?:0000|[dD][89a-fA-F])/.test(text);

/**
 * Content that is valid JSON and that a store would refuse or silently change: NUL characters, lone surrogates,
 * extreme nesting, numbers that are no double. Cheap for the usual event: it searches only on suspicion.
 */
function findUnstorable(text: string, raw: Record<string, unknown>): Unstorable | undefined {
  if (!hasOddEscapes(text) && isModest(raw, 1)) return undefined;
  const stack: { value: unknown; path: string; depth: number }[] = [{ value: raw, path: '', depth: 1 }];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { value, path, depth } = at;
    const where = path === '' ? 'body' : path;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return { reason: `${where}: the number is out of the range of a double`, storeCode: '22003' };
    }
    if (typeof value === 'string') {
      const problem = findUnstorableText(value);
      if (problem) return { reason: `${where}: ${problem.reason}`, storeCode: problem.storeCode };
    }
    if (typeof value !== 'object' || value === null) continue;
    if (depth > MAX_NESTING)
      return { reason: `${where.slice(0, 80)}: nested deeper than ${MAX_NESTING}`, storeCode: '54001' };
    for (const [key, child] of Object.entries(value)) {
      const problem = findUnstorableText(key);
      if (problem) return { reason: `${where}: a field name ${problem.reason}`, storeCode: problem.storeCode };
      stack.push({
        value: child,
        path: path === '' ? key : path.length > 80 ? path : `${path}.${key}`,
        depth: depth + 1,
      });
    }
  }
  return undefined;
}

function findUnstorableText(text: string): Unstorable | undefined {
  if (text.includes('\u0000')) return { reason: 'contains a NUL character', storeCode: '22P05' };
  if (!text.isWellFormed()) return { reason: 'contains a lone surrogate', storeCode: '22P02' };
  return undefined;
}

/** Whether every number is a double and nothing is nested too deep. */
function isModest(value: object, depth: number): boolean {
  if (depth > MAX_NESTING) return false;
  if (Array.isArray(value)) return value.every((child) => isModestValue(child, depth));
  for (const key in value) {
    if (!isModestValue((value as Record<string, unknown>)[key], depth)) return false;
  }
  return true;
}

const isModestValue = (value: unknown, depth: number): boolean =>
  typeof value === 'object' && value !== null
    ? isModest(value, depth + 1)
    : typeof value !== 'number' || Number.isFinite(value);

/** An upper bound of the nesting: the number of opening brackets. */
function nestingBound(text: string): number {
  if (text.length <= 2 * MAX_NESTING) return 0;
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x5b || code === 0x7b) open++;
  }
  return open;
}
