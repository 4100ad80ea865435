// `npm start`: runs run-local.ts with the settings of config.ts.
import { COMPONENTS } from './components.ts';
import { readConfig } from './config.ts';
import { runLocal } from './run-local.ts';

try {
  process.exitCode = await runLocal(readConfig(), COMPONENTS);
} catch (error) {
  console.error(`trellis: ${(error as Error).message}`);
  process.exitCode = 1;
}
// The IPC channel to the parent would keep this process alive.
process.exit();
