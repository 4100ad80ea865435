// Hands the lines of a log to OpenTelemetry as they were written, redacted fields included. Without an SDK a line costs one
// question whether anybody takes it.
import {
  type Attributes,
  context,
  type Logger as LogApi,
  type LoggerProvider,
  logs,
  SeverityNumber,
  trace,
} from '@opentelemetry/api';
import { ATTR } from '@trellis/contracts';

export interface LineDestination {
  write(line: string): void;
  /** Writes out what is held back; called before the process ends. */
  flushSync?(): void;
}

const SEVERITY: Readonly<Record<string, SeverityNumber>> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

/** Names of fields in our logs that spans know under another one. */
const NAMES: Readonly<Record<string, string>> = {
  jobId: ATTR.jobId,
  service: ATTR.jobService,
  jobType: ATTR.jobType,
  requestId: ATTR.requestId,
};

let provider: LoggerProvider | undefined;
let api: LogApi | undefined;

/** What is got before an SDK is set up does nothing forever. */
function logApi(): LogApi {
  const now = logs.getLoggerProvider();
  if (now !== provider || !api) api = logs.getLogger('trellis');
  provider = now;
  return api;
}

/** The destination, with every line also handed to OpenTelemetry. */
export function exportLines<Destination extends LineDestination>(destination: Destination): LineDestination {
  return {
    write(line) {
      destination.write(line);
      const taker = logApi();
      if (taker.enabled()) emit(taker, line);
    },
    flushSync: () => destination.flushSync?.(),
  };
}

function emit(taker: LogApi, line: string): void {
  const { level, message, timestamp, component, instanceId, traceId, spanId, error, ...fields } = JSON.parse(
    line,
  ) as Record<string, unknown>;
  const severityText = String(level);
  taker.emit({
    body: typeof message === 'string' ? message : '',
    severityText,
    severityNumber: SEVERITY[severityText] ?? SeverityNumber.UNSPECIFIED,
    timestamp: new Date(String(timestamp)),
    attributes: attributesOf(fields, traceId, error),
    context: context.active(),
  });
}

function attributesOf(fields: Record<string, unknown>, traceId: unknown, error: unknown): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(fields)) {
    const plain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    attributes[NAMES[name] ?? name] = plain ? value : JSON.stringify(value);
  }
  const inTrace = trace.getSpanContext(context.active())?.traceId;
  if (typeof traceId === 'string' && traceId !== inTrace) attributes[ATTR.traceId] = traceId;
  if (typeof error === 'object' && error !== null) {
    const { type, message, stack } = error as Record<string, unknown>;
    attributes['exception.type'] = String(type ?? 'Error');
    attributes['exception.message'] = String(message ?? '');
    if (stack !== undefined) attributes['exception.stacktrace'] = String(stack);
  } else if (error !== undefined) {
    attributes['exception.message'] = String(error);
  }
  return attributes;
}
