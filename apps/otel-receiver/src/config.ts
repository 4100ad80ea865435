// Everything that can be set of the OTLP receiver, with its defaults.
import { clickhouseConfig, configOrExit, processConfig } from '@trellis/runtime';
import { DEFAULT_OTEL_DATABASE } from '@trellis/store-traces';
import { z } from 'zod';

const MIB = 1_048_576;

export const OtelReceiverConfig = z.object({
  ...processConfig,
  otlpPort: z.int().min(0).max(65_535).default(4_318).describe('port of OTLP over HTTP; 0: a free one'),
  otlpHost: z.string().default('127.0.0.1').describe('address that OTLP listens on'),
  ...clickhouseConfig,
  otelDatabase: z.string().min(1).default(DEFAULT_OTEL_DATABASE).describe('database of spans and logs'),
  otelRetentionDays: z.int().min(1).max(3_650).default(7).describe('how long spans and logs are kept, in days'),
  otlpMaxRequestBytes: z
    .int()
    .min(1_024)
    .max(256 * MIB)
    .default(8 * MIB)
    .describe('largest request, unpacked'),
  otlpMaxConcurrent: z.int().min(1).max(1_000).default(16).describe('requests read at once; further ones come again'),
  otlpMaxQueuedBytes: z
    .int()
    .min(1_024)
    .max(4_096 * MIB)
    .default(32 * MIB)
    .describe('spans, and logs, that may wait for ClickHouse, as they were received; further ones come again'),
  flushIntervalMs: z.int().min(10).max(10_000).default(500).describe('time between two writes'),
});
export type OtelReceiverConfig = z.infer<typeof OtelReceiverConfig>;

export const readConfig = (): OtelReceiverConfig => configOrExit(OtelReceiverConfig);
