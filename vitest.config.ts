// How vitest finds and runs the tests of the whole repository. `npm test` passes its arguments to it.
import { defineConfig } from 'vitest/config';

const folders = '{apps,packages,infra,test}/**';
const exclude = ['**/node_modules/**', '**/.trellis/**', '**/.scratch/**'];

export default defineConfig({
  test: {
    globalSetup: ['test/support/src/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    hookTimeout: 60_000,
    testTimeout: 30_000,
    teardownTimeout: 30_000,
    // Long, because processes start slowly on a busy machine. A condition that already holds costs no time.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: [`${folders}/*.test.ts`], exclude: [...exclude, '**/*.int.test.ts'] },
      },
      {
        extends: true,
        test: { name: 'int', include: [`${folders}/*.int.test.ts`], exclude, testTimeout: 60_000 },
      },
    ],
  },
});
