// The counts in the last line of `npm test`.
import { expect, test } from 'vitest';
import { countTests } from './run-tests.ts';

const file = (status: string, ...tests: string[]) => ({
  name: 'some.test.ts',
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});

test('passed and failed tests are counted', () => {
  const testResults = [file('passed', 'passed', 'passed'), file('failed', 'failed', 'passed')];
  expect(countTests({ numPassedTests: 3, numFailedTests: 1, testResults }, false)).toEqual({ passed: 3, failed: 1 });
});

test('a file that cannot be loaded counts as failed', () => {
  const testResults = [file('passed', 'passed'), file('failed')];
  expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, false)).toEqual({ passed: 1, failed: 1 });
});

test('a run that fails without a failed test counts as one failure', () => {
  const testResults = [file('passed', 'passed')];
  expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, false)).toEqual({ passed: 1, failed: 1 });
  expect(countTests({ numPassedTests: 0, numFailedTests: 0, testResults: [] }, false)).toEqual({
    passed: 0,
    failed: 1,
  });
});

test('a run without a report counts as one failure, even if its exit code is 0', () => {
  expect(countTests(undefined, true)).toEqual({ passed: 0, failed: 1 });
});
