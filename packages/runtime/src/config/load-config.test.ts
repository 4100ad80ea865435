import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { baseConfig } from './config-parts.ts';
import { ConfigError, loadConfig, redactConfig } from './load-config.ts';

const schema = z.object({
  ...baseConfig,
  databaseUrl: z.string().min(1),
  batchSize: z.int().min(1).max(10_000).default(500),
  pipelines: z.array(z.enum(['current', 'history'])).default(['current', 'history']),
  verbose: z.boolean().default(false),
});

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    loadConfig(schema, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

it('reads each field from its variable and leaves the rest to the defaults', () => {
  const config = loadConfig(schema, {
    DATABASE_URL: 'postgres://x',
    BATCH_SIZE: '7',
    PIPELINES: 'current',
    VERBOSE: 'true',
    STREAM_NAMES: '{"jobs":"J"}',
  });
  expect(config).toMatchObject({ databaseUrl: 'postgres://x', batchSize: 7, pipelines: ['current'], verbose: true });
  expect(config.streamNames).toEqual({
    jobs: 'J',
    work: 'JOBS_WORK',
    advisories: 'JOBS_ADVISORIES',
    presence: 'JOBS_PRESENCE',
  });
});

it('reports every problem at once, with the name and what was expected', () => {
  const problems = problemsOf({ BATCH_SIZE: 'many', PIPELINES: 'currant', LOG_LEVEL: 'loud' });
  expect(problems).toHaveLength(4);
  for (const name of ['BATCH_SIZE', 'PIPELINES', 'LOG_LEVEL', 'DATABASE_URL']) {
    expect(problems.some((problem) => problem.startsWith(`${name}:`))).toBe(true);
  }
});

it('names the nearest known variable for a misspelt one', () => {
  expect(problemsOf({ DATABASE_URL: 'x', BATCH_SIZ: '7' })).toEqual(['BATCH_SIZ: not known; did you mean BATCH_SIZE?']);
});

it('reads a secret from a file', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'trellis-config-')), 'url');
  writeFileSync(file, 'postgres://secret\n');
  expect(loadConfig(schema, { DATABASE_URL_FILE: file }).databaseUrl).toBe('postgres://secret');
  expect(problemsOf({ DATABASE_URL_FILE: '/nowhere/at/all' })[0]).toContain('DATABASE_URL_FILE');
});

it('never prints credentials', () => {
  expect(problemsOf({ DATABASE_URL: 'x', NATS_OPTIONS: 'hunter2' }).join()).not.toContain('hunter2');
  const shown = JSON.stringify(
    redactConfig({ databaseUrl: 'postgres://u:hunter2@h/db', natsOptions: { pass: 'hunter2' }, apiToken: 'hunter2' }),
  );
  expect(shown).not.toContain('hunter2');
});

it('gives every process an instance id of its own', () => {
  const env = { DATABASE_URL: 'x' };
  expect(loadConfig(schema, env).instanceId).not.toBe(loadConfig(schema, env).instanceId);
});

it('headers of OTLP are read as everywhere, and never shown', () => {
  const headers = (text: string) =>
    loadConfig(z.object(baseConfig), { OTEL_EXPORTER_OTLP_HEADERS: text }).otelExporterOtlpHeaders;
  expect(headers('authorization=Basic%20YTpi, x-scope=a=b')).toEqual({ authorization: 'Basic YTpi', 'x-scope': 'a=b' });
  expect(() => headers('a secret')).toThrow('expected name=value');
  expect(() => headers('a secret')).not.toThrow('a secret');
  expect(redactConfig({ otelExporterOtlpHeaders: { authorization: 'secret' } })).toEqual({
    otelExporterOtlpHeaders: '[redacted]',
  });
});
