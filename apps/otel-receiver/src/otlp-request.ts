// An OTLP request in either encoding as one kind of value: fields in lowerCamelCase, ids and bytes as they came.
// What a span or a log record must have to be kept is span-records.ts and log-records.ts.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { z } from 'zod';

export const SIGNALS = ['traces', 'logs', 'metrics'] as const;
export type Signal = (typeof SIGNALS)[number];

export type Encoding = 'protobuf' | 'json';

/** The body is no request of that signal. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
}

/** Hexadecimal in JSON, bytes in protobuf. */
const Id = z.union([z.string(), z.instanceof(Uint8Array)]);
export type Id = z.infer<typeof Id>;
/** 64 bits: a decimal string or a number in JSON. */
const Int64 = z.union([z.string().regex(/^-?\d{1,20}$/), z.number(), z.bigint()]);
export type Int64 = z.infer<typeof Int64>;

export interface AnyValue {
  stringValue?: string | undefined;
  boolValue?: boolean | undefined;
  intValue?: Int64 | undefined;
  /** JSON has no numbers for NaN and the infinities: they are strings there. */
  doubleValue?: number | string | undefined;
  arrayValue?: { values?: AnyValue[] | undefined } | undefined;
  kvlistValue?: { values?: KeyValue[] | undefined } | undefined;
  /** Base64 in JSON. */
  bytesValue?: string | Uint8Array | undefined;
}
export interface KeyValue {
  key: string;
  value?: AnyValue | null | undefined;
}

const AnyValue: z.ZodType<AnyValue> = z.object({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: Int64.optional(),
  doubleValue: z.union([z.number(), z.string()]).optional(),
  get arrayValue() {
    return z.object({ values: z.array(AnyValue).optional() }).optional();
  },
  get kvlistValue() {
    return z.object({ values: z.array(KeyValue).optional() }).optional();
  },
  bytesValue: z.union([z.string(), z.instanceof(Uint8Array)]).optional(),
});
const KeyValue: z.ZodType<KeyValue> = z.object({ key: z.string(), value: AnyValue.nullish() });

const attributes = z.array(KeyValue).optional();
const text = z.string().optional();
const time = Int64.optional();
const Resource = z.object({ attributes }).optional();
const Scope = z.object({ name: text, version: text, attributes }).optional();

const Span = z.object({
  traceId: Id.optional(),
  spanId: Id.optional(),
  parentSpanId: Id.optional(),
  traceState: text,
  name: text,
  kind: z.int().optional(),
  startTimeUnixNano: time,
  endTimeUnixNano: time,
  attributes,
  events: z.array(z.object({ timeUnixNano: time, name: text, attributes })).optional(),
  links: z.array(z.object({ traceId: Id.optional(), spanId: Id.optional(), traceState: text, attributes })).optional(),
  status: z.object({ code: z.int().optional(), message: text }).optional(),
});
export type OtlpSpan = z.infer<typeof Span>;

const LogRecord = z.object({
  timeUnixNano: time,
  observedTimeUnixNano: time,
  severityNumber: z.int().optional(),
  severityText: text,
  body: AnyValue.nullish(),
  attributes,
  flags: z.int().optional(),
  traceId: Id.optional(),
  spanId: Id.optional(),
  eventName: text,
});

const points = z.object({ dataPoints: z.array(z.unknown()).optional() }).optional();
const Metric = z.object({
  gauge: points,
  sum: points,
  histogram: points,
  exponentialHistogram: points,
  summary: points,
});

const list = <Item extends z.ZodType>(item: Item) => z.array(item).optional();

const REQUESTS = {
  traces: z.object({
    resourceSpans: list(
      z.object({ resource: Resource, scopeSpans: list(z.object({ scope: Scope, spans: list(Span) })) }),
    ),
  }),
  logs: z.object({
    resourceLogs: list(
      z.object({
        resource: Resource,
        schemaUrl: text,
        scopeLogs: list(z.object({ scope: Scope, schemaUrl: text, logRecords: list(LogRecord) })),
      }),
    ),
  }),
  metrics: z.object({
    resourceMetrics: list(z.object({ scopeMetrics: list(z.object({ metrics: list(Metric) })) })),
  }),
};
export type OtlpRequest<S extends Signal> = z.infer<(typeof REQUESTS)[S]>;
export type OtlpScope = z.infer<typeof Scope>;

const { root } = protobuf.parse(readFileSync(new URL('otlp.proto', import.meta.url), 'utf8'));
const REQUEST_MESSAGE: Record<Signal, protobuf.Type> = {
  traces: root.lookupType('TracesRequest'),
  logs: root.lookupType('LogsRequest'),
  metrics: root.lookupType('MetricsRequest'),
};
const REJECTED = { traces: 'rejectedSpans', logs: 'rejectedLogRecords', metrics: undefined };
const RESPONSE_MESSAGE: Record<Signal, protobuf.Type> = {
  traces: root.lookupType('TracesResponse'),
  logs: root.lookupType('LogsResponse'),
  metrics: root.lookupType('MetricsResponse'),
};
const STATUS_MESSAGE = root.lookupType('Status');

/** The request in `body`. @throws MalformedRequest */
export function decodeRequest<S extends Signal>(signal: S, encoding: Encoding, body: Uint8Array): OtlpRequest<S> {
  try {
    if (encoding === 'json') return REQUESTS[signal].parse(JSON.parse(utf8.decode(body))) as OtlpRequest<S>;
    const type = REQUEST_MESSAGE[signal];
    return type.toObject(type.decode(body), { longs: BigInt }) as OtlpRequest<S>;
  } catch (error) {
    throw new MalformedRequest(`the body is no OTLP ${signal} request in ${encoding}: ${why(error)}`, { cause: error });
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function why(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  const [issue] = error.issues;
  return `${issue?.path.join('.')}: ${issue?.message}`;
}

export interface Rejection {
  count: number;
  /** Why the first of them was rejected. */
  reason: string;
}

/** The answer to a request that was taken, but for `rejected` records of it. */
export function encodeResponse(signal: Signal, encoding: Encoding, rejected: Rejection | undefined): Uint8Array {
  const field = REJECTED[signal];
  const partial = rejected && field ? { [field]: rejected.count, errorMessage: rejected.reason } : undefined;
  if (encoding === 'json') {
    // 64-bit numbers are strings in OTLP's JSON.
    const shown = partial && field ? { ...partial, [field]: String(partial[field]) } : undefined;
    return Buffer.from(JSON.stringify(shown ? { partialSuccess: shown } : {}));
  }
  const type = RESPONSE_MESSAGE[signal];
  return type.encode(type.fromObject(partial ? { partialSuccess: partial } : {})).finish();
}

/** The body of a refusal; `code` is one of gRPC's. */
export function encodeRefusal(encoding: Encoding, code: number, message: string): Uint8Array {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  return STATUS_MESSAGE.encode(STATUS_MESSAGE.fromObject({ code, message })).finish();
}
