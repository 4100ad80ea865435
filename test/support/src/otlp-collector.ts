// An OpenTelemetry collector for tests: receives OTLP over HTTP (protobuf) on a free port and keeps everything in memory.
// It reads the same fields as the receiver in apps/otel-receiver.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

export interface CollectedSpan {
  /** `service.name` of its resource. */
  service: string;
  resource: Attributes;
  name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  /** Empty for a root span. */
  parentSpanId: string;
  attributes: Attributes;
  links: { traceId: string; spanId: string; attributes: Attributes }[];
  /** 0 unset, 1 ok, 2 error. */
  status: number;
}

export interface CollectedLog {
  service: string;
  severity: string;
  body: unknown;
  attributes: Attributes;
  traceId: string;
  spanId: string;
}

export interface OtlpCollector extends AsyncDisposable {
  /** Base URL, for OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: CollectedSpan[];
  readonly logs: CollectedLog[];
  /** Headers of the latest request. */
  readonly lastHeaders: Record<string, unknown>;
  /** Names of all received metrics. */
  readonly metricNames: Set<string>;
  stop(): Promise<void>;
}

type Attributes = Record<string, unknown>;
interface KeyValue {
  key: string;
  value?: Record<string, unknown>;
}

const PROTO = new URL('../../../apps/otel-receiver/src/otlp.proto', import.meta.url);

/** Starts the collector on 127.0.0.1. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const { root } = protobuf.parse(`${readFileSync(PROTO, 'utf8')}\n${METRIC_NAMES}`);
  const decode = (type: string, body: Uint8Array) => {
    const message = root.lookupType(type);
    return message.toObject(message.decode(body), {
      longs: Number,
      defaults: true,
      arrays: true,
      oneofs: true,
    }) as Message;
  };
  const collected = { spans: [] as CollectedSpan[], logs: [] as CollectedLog[], metricNames: new Set<string>() };
  const last: { headers: Record<string, unknown> } = { headers: {} };
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    last.headers = request.headers;
    if (request.url === '/v1/traces') collected.spans.push(...spansOf(decode('TracesRequest', body)));
    if (request.url === '/v1/logs') collected.logs.push(...logsOf(decode('LogsRequest', body)));
    if (request.url === '/v1/metrics') {
      for (const name of metricNamesOf(decode('NamesRequest', body))) collected.metricNames.add(name);
    }
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...collected,
    get lastHeaders() {
      return last.headers;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const METRIC_NAMES = `
message NamesRequest { repeated NamesOfResource resource_metrics = 1; }
message NamesOfResource { repeated NamesOfScope scope_metrics = 2; }
message NamesOfScope { repeated NamedMetric metrics = 2; }
message NamedMetric { string name = 1; }
`;

// biome-ignore lint/suspicious/noExplicitAny: plain objects of a decoded message, in the shape of the .proto file.
type Message = any;

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The value of an AnyValue: `value.value` names the field that is set. */
const valueIn = (value: Record<string, unknown> | undefined): unknown => value?.[String(value.value)];

const attributesOf = (list: KeyValue[]): Attributes =>
  Object.fromEntries(list.map(({ key, value }) => [key, valueIn(value)]));

function* records(
  groups: Message[],
  scopes: string,
  items: string,
): Generator<{ resource: Attributes; item: Message }> {
  for (const group of groups) {
    const resource = attributesOf(group.resource.attributes);
    for (const scope of group[scopes]) for (const item of scope[items]) yield { resource, item };
  }
}

function spansOf(request: Message): CollectedSpan[] {
  return [...records(request.resourceSpans, 'scopeSpans', 'spans')].map(({ resource, item }) => ({
    service: String(resource['service.name']),
    resource,
    name: item.name,
    kind: item.kind,
    traceId: hex(item.traceId),
    spanId: hex(item.spanId),
    parentSpanId: hex(item.parentSpanId),
    attributes: attributesOf(item.attributes),
    links: item.links.map((link: Message) => ({
      traceId: hex(link.traceId),
      spanId: hex(link.spanId),
      attributes: attributesOf(link.attributes),
    })),
    status: item.status?.code ?? 0,
  }));
}

function logsOf(request: Message): CollectedLog[] {
  return [...records(request.resourceLogs, 'scopeLogs', 'logRecords')].map(({ resource, item }) => ({
    service: String(resource['service.name']),
    severity: item.severityText,
    body: valueIn(item.body),
    attributes: attributesOf(item.attributes),
    traceId: hex(item.traceId),
    spanId: hex(item.spanId),
  }));
}

const metricNamesOf = (request: Message): string[] =>
  request.resourceMetrics.flatMap((resource: Message) =>
    resource.scopeMetrics.flatMap((scope: Message) => scope.metrics.map(({ name }: { name: string }) => name)),
  );
