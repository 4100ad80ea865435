// `npm test [-- arguments of vitest]`: runs the tests. The last line has their counts.
// Counting is left to run-tests.ts.
import { runTests } from './run-tests.ts';

const { passed, failed } = await runTests(process.argv.slice(2));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
