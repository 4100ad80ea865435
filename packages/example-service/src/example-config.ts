// Settings that every example service has, with their defaults.
import { DEFAULT_JOIN_TRACE_MS } from '@trellis/jobs';
import { baseConfig } from '@trellis/runtime';
import { z } from 'zod';

export const exampleConfig = {
  ...baseConfig,
  keepHours: z
    .number()
    .positive()
    .default(24)
    .describe('ended example jobs older than this are removed from the stream'),
  speed: z
    .number()
    .min(1)
    .max(100)
    .default(1)
    .describe('how many times faster than life the example runs; above 1 for tests and demonstrations'),
  joinTraceMs: z
    .int()
    .min(0)
    .default(DEFAULT_JOIN_TRACE_MS)
    .describe('an attempt that begins later than this after the creation of its job has a trace of its own'),
  graceMs: z.int().min(0).max(15_000).default(5_000).describe('how long running jobs may go on when the service stops'),
};
