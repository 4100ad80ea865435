// OTLP over HTTP: POST /v1/traces, /v1/logs, /v1/metrics, as protobuf or JSON, plain or gzip. Answers as soon as the records
// wait to be stored, or says when to come again.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Logger } from '@trellis/async';
import type { LogRecord, SpanRecord } from '@trellis/store-traces';
import type { BatchWriter } from './batch-writer.ts';
import { countDataPoints, logRecords } from './log-records.ts';
import {
  decodeRequest,
  type Encoding,
  encodeRefusal,
  encodeResponse,
  MalformedRequest,
  type Rejection,
  SIGNALS,
  type Signal,
} from './otlp-request.ts';
import { spanRecords } from './span-records.ts';

export interface OtlpOptions {
  /** Counted up by each request. */
  received: Received;
  spans: BatchWriter<SpanRecord>;
  logs: BatchWriter<LogRecord>;
  /** Bytes of one request, unpacked. */
  maxRequestBytes: number;
  /** Requests read at once. */
  maxConcurrent: number;
  log: Logger;
}

/** What came in since the start. */
export interface Received {
  spans: number;
  logs: number;
  /** Metrics are counted and not kept. */
  dataPoints: number;
  rejectedSpans: number;
  /** Requests that were told to come again. */
  refusedRequests: number;
  malformedRequests: number;
}

/** Seconds after which a refused client may come again. */
const RETRY_AFTER_S = 1;
const MEDIA: Record<Encoding, string> = { protobuf: 'application/x-protobuf', json: 'application/json' };
const GRPC_INVALID_ARGUMENT = 3;
const GRPC_UNAVAILABLE = 14;
const GRPC_INTERNAL = 13;

/** An answer other than 200. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const newCounts = (): Received => ({
  spans: 0,
  logs: 0,
  dataPoints: 0,
  rejectedSpans: 0,
  refusedRequests: 0,
  malformedRequests: 0,
});

/** Not yet listening. */
export function otlpServer(options: OtlpOptions): Server {
  const { received } = options;
  let reading = 0;
  const server = createServer(async (request, response) => {
    const encoding: Encoding = mediaOf(request) === MEDIA.json ? 'json' : 'protobuf';
    reading++;
    try {
      const signal = signalOf(request);
      if (reading > options.maxConcurrent || isFull(signal, options)) throw busy();
      const body = await readBody(request, options.maxRequestBytes);
      const rejected = take(signal, encoding, body, options, received);
      send(response, 200, encoding, encodeResponse(signal, encoding, rejected));
    } catch (error) {
      refuse(response, encoding, error, options, received);
    } finally {
      reading--;
    }
  });
  server.requestTimeout = 30_000;
  return server;
}

const busy = (): Refusal => new Refusal(503, 'too much waits to be stored; try again');

/** What the request is about. @throws Refusal */
function signalOf(request: IncomingMessage): Signal {
  const path = request.url?.split('?')[0];
  const signal = SIGNALS.find((one) => path === `/v1/${one}`);
  if (!signal) throw new Refusal(404, `expected one of ${SIGNALS.map((one) => `/v1/${one}`).join(', ')}`);
  if (request.method !== 'POST') throw new Refusal(405, 'expected POST');
  const media = mediaOf(request);
  if (!Object.values(MEDIA).includes(media)) {
    throw new Refusal(415, `content-type: expected ${Object.values(MEDIA).join(' or ')}`);
  }
  return signal;
}

const mediaOf = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

const isFull = (signal: Signal, { spans, logs }: OtlpOptions): boolean =>
  (signal === 'traces' && spans.full) || (signal === 'logs' && logs.full);

const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new Refusal(413, `expected at most ${maxBytes} bytes`);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw new Refusal(415, 'content-encoding: expected gzip or none');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (encoding === 'identity') return body;
  try {
    return await unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new Refusal(400, `the body is no gzip: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Hands the request's records over to be stored; answers those that are not worth storing. @throws */
function take(
  signal: Signal,
  encoding: Encoding,
  body: Buffer,
  { spans, logs }: OtlpOptions,
  received: Received,
): Rejection | undefined {
  if (signal === 'traces') {
    const { records, rejected } = spanRecords(decodeRequest(signal, encoding, body));
    if (!spans.offer(records, body.length)) throw busy();
    received.spans += records.length;
    received.rejectedSpans += rejected?.count ?? 0;
    return rejected;
  }
  if (signal === 'logs') {
    const records = logRecords(decodeRequest(signal, encoding, body), BigInt(Date.now()) * 1_000_000n);
    if (!logs.offer(records, body.length)) throw busy();
    received.logs += records.length;
    return undefined;
  }
  received.dataPoints += countDataPoints(decodeRequest(signal, encoding, body));
  return undefined;
}

function refuse(
  response: ServerResponse,
  encoding: Encoding,
  error: unknown,
  { log }: OtlpOptions,
  received: Received,
): void {
  // A client that went away in the middle of its request wants no answer.
  if (response.destroyed || response.socket?.destroyed) return;
  // What is left of the body is not read.
  response.setHeader('connection', 'close');
  const { status, code, message } = describe(error);
  if (status === 503) {
    received.refusedRequests++;
    response.setHeader('retry-after', RETRY_AFTER_S);
  } else if (status === 500) {
    log.error({ error }, 'a request failed');
  } else {
    received.malformedRequests++;
    log.debug({ status, reason: message }, 'a request is refused');
  }
  send(response, status, encoding, encodeRefusal(encoding, code, message));
}

function describe(error: unknown): { status: number; code: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Refusal) {
    return { status: error.status, code: error.status === 503 ? GRPC_UNAVAILABLE : GRPC_INVALID_ARGUMENT, message };
  }
  // A RangeError: nested so deeply that nothing could read it.
  if (error instanceof MalformedRequest || error instanceof RangeError) {
    return { status: 400, code: GRPC_INVALID_ARGUMENT, message };
  }
  return { status: 500, code: GRPC_INTERNAL, message: 'an internal error happened' };
}

function send(response: ServerResponse, status: number, encoding: Encoding, body: Uint8Array): void {
  response.writeHead(status, { 'content-type': MEDIA[encoding], 'content-length': body.length }).end(body);
}
