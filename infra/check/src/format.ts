// `npm run format`: formats, sorts imports and applies the safe fixes.
// What needs a person is left as it is and listed.
import { runStep } from './run-step.ts';

process.exitCode = await runStep('biome', ['check', '--write', '.']);
