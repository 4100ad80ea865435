// Runs vitest on the repository and counts the results. Which files are tests is left to vitest.config.ts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root, runStep } from './run-step.ts';

export interface TestCounts {
  passed: number;
  /** Failed tests, plus files that could not be loaded, plus 1 for a run that failed for another reason. */
  failed: number;
}

/** The fields of vitest's JSON report that are used here. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string }[] }[];
}

/** Counts the tests of a report. `clean`: vitest ended with exit code 0. */
export function countTests(report: Report | undefined, clean: boolean): TestCounts {
  if (!report) return { passed: 0, failed: 1 };
  const unloadable = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + unloadable.length;
  // An error outside of tests, or a run without tests, fails without a failed test.
  return { passed: report.numPassedTests, failed: failed === 0 && !clean ? 1 : failed };
}

/** Runs the tests that the arguments select; without arguments all tests. */
export async function runTests(args: readonly string[]): Promise<TestCounts> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const folder = mkdtempSync(join(tmpdir(), 'trellis-report-'));
  const file = join(folder, 'report.json');
  try {
    const code = await runStep(process.execPath, [
      vitest,
      'run',
      '--root',
      root,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    ]);
    return countTests(readReport(file), code === 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}
