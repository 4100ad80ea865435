// `npm run format`: writes the rules on imports, formats, sorts imports and applies safe fixes.
// Problems that it cannot fix are listed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOUNDARIES_FILE, describeBoundaries } from './boundaries.ts';
import { root, runStep } from './run-step.ts';

writeFileSync(join(root, BOUNDARIES_FILE), describeBoundaries());
process.exitCode = await runStep('biome', ['check', '--write', '.']);
