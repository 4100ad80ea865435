// Structured logs, one JSON object a line on standard output.
import pino from 'pino';

export type Logger = pino.Logger;

/**
 * A logger whose lines carry the component's name and instance. Lines about a job carry `jobId`, `service`, `jobType`,
 * `traceId` and `requestId` under exactly these names.
 */
export function createLogger(options: { name: string; level?: string; instanceId?: string }): Logger {
  return pino({
    level: options.level ?? 'info',
    base: { component: options.name, ...(options.instanceId === undefined ? {} : { instanceId: options.instanceId }) },
    messageKey: 'message',
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
    redact: { paths: ['*.password', '*.token', 'password', 'token'], censor: '[redacted]' },
  });
}

/** For tests and libraries that were given no logger. */
export const silentLogger = (): Logger => pino({ level: 'silent' });
