import { diag } from '@opentelemetry/api';
import { globalErrorHandler } from '@opentelemetry/core';
import { expect, test } from 'vitest';
import { reportTroubleSeldom } from './report-trouble.ts';

test('trouble is logged at most once a minute, with the number of those that were not', () => {
  const lines: unknown[] = [];
  let now = 0;
  reportTroubleSeldom({ warn: (...line: unknown[]) => void lines.push(line) }, () => now);
  globalErrorHandler(new Error('connect ECONNREFUSED'));
  diag.error('export failed');
  diag.warn('spans were dropped');
  diag.info('nothing of interest');
  now = 59_999;
  globalErrorHandler(new Error('connect ECONNREFUSED'));
  expect(lines).toEqual([[{ reason: 'connect ECONNREFUSED', alsoSince: 0 }, 'telemetry is lost']]);
  now = 60_000;
  globalErrorHandler('text');
  expect(lines[1]).toEqual([{ reason: 'text', alsoSince: 3 }, 'telemetry is lost']);
});
