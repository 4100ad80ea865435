// `npm test [-- vitest's arguments]`: all tests, and their counts as the last line.
// Counting is left to run-tests.ts.
import { runTests } from './run-tests.ts';

const { passed, failed } = await runTests(process.argv.slice(2));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
