// `npm run check`: types, lint, unused code and tests. Every step runs even if an earlier one failed.
// The last line counts tests. Each other step that fails adds one failure to it.
import { runStep } from './run-step.ts';
import { runTests } from './run-tests.ts';

const steps = [
  { name: 'types', run: () => runStep('turbo', ['run', 'types', '--continue', '--output-logs=errors-only']) },
  { name: 'lint', run: () => runStep('biome', ['ci', '.']) },
  // Exports, files and dependencies that nothing uses (knip.json).
  { name: 'unused', run: () => runStep('knip', ['--no-progress']) },
];

const broken: string[] = [];
for (const { name, run } of steps) {
  console.log(`\n── ${name}`);
  const started = performance.now();
  const code = await run();
  if (code !== 0) broken.push(name);
  console.log(`── ${name}: ${code === 0 ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}
console.log('\n── tests');
const { passed, failed } = await runTests(process.argv.slice(2));
if (broken.length > 0) console.log(`── failed before the tests: ${broken.join(', ')}`);
console.log(`${passed} passed, ${failed + broken.length} failed`);
process.exitCode = failed + broken.length > 0 ? 1 : 0;
