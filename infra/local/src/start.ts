// `npm start`.
// Everything it does is in run-local.ts; what it reads from the environment in config.ts.
import { COMPONENTS } from './components.ts';
import { readConfig } from './config.ts';
import { runLocal } from './run-local.ts';

try {
  process.exitCode = await runLocal(readConfig(), COMPONENTS);
} catch (error) {
  console.error(`trellis: ${(error as Error).message}`);
  process.exitCode = 1;
}
// The channel to the starting process would keep this one alive.
process.exit();
