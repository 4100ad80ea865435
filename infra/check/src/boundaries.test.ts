import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOUNDARIES_FILE, describeBoundaries } from './boundaries.ts';
import { APPS, LAYERS, TEST_PACKAGES, TOOLS } from './layers.ts';
import { root } from './run-step.ts';

test('every package of the workspace is in the list of layers', () => {
  const folders = globSync('{apps,packages,infra,test}/*/package.json', { cwd: root }).map(dirname);
  expect([...LAYERS.flat(), ...APPS, ...TEST_PACKAGES, ...TOOLS].toSorted()).toEqual(folders.toSorted());
});

test('the generated rules match the list of layers (`npm run format` writes them)', () => {
  expect(readFileSync(join(root, BOUNDARIES_FILE), 'utf8')).toBe(describeBoundaries());
});

describe('a wrong import fails with a message that names the allowed one', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trellis-boundaries-'));
    for (const file of ['biome.json', BOUNDARIES_FILE]) cpSync(join(root, file), join(folder, file));
    // The linter's configuration requires a .gitignore.
    if (existsSync(join(root, '.gitignore'))) cpSync(join(root, '.gitignore'), join(folder, '.gitignore'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function lint(file: string, specifier: string): string {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `export * from '${specifier}';\n`);
    try {
      execFileSync('biome', ['lint', '--only=style/noRestrictedImports', file], {
        cwd: folder,
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return '';
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return `${stdout}${stderr}`;
    } finally {
      rmSync(path);
    }
  }

  test.each([
    ['upward', 'packages/contracts/src/a.ts', '@trellis/nats', 'packages/contracts may import no workspace package'],
    [
      'the client, the frame of a component',
      'packages/client/src/a.ts',
      '@trellis/runtime',
      'packages/client may import @trellis/contracts, @trellis/async, @trellis/lifecycle, @trellis/instrumentation, @trellis/nats',
    ],
    [
      'of a neighbour in the same layer',
      'packages/store-postgres/src/a.ts',
      '@trellis/store-clickhouse',
      'packages/store-postgres may import',
    ],
    ['by a path', 'apps/janitor/src/a.ts', '../../../packages/contracts/src/names.ts', "from '@trellis/contracts'"],
    [
      'by a path between packages',
      'packages/jobs/src/a.ts',
      '../../contracts/src/names.ts',
      "from '@trellis/contracts'",
    ],
    ['of a file inside a package', 'apps/cli/src/a.ts', '@trellis/contracts/src/names.ts', "from '@trellis/contracts'"],
    ['of an app', 'apps/cli/src/a.ts', '@trellis/janitor', 'Apps must not be imported'],
    ['of test servers', 'apps/cli/src/a.ts', '@trellis/devstack', 'Only tests'],
    [
      'upward in a test',
      'packages/lifecycle/src/a.test.ts',
      '@trellis/jobs',
      'packages/lifecycle may import @trellis/contracts',
    ],
  ])('%s', (_, file, specifier, message) => {
    expect(lint(file, specifier).replace(/\s+/g, ' ')).toContain(message);
  });

  test.each([
    ['downward', 'packages/jobs/src/a.ts', '@trellis/nats'],
    ['of a public entry', 'apps/janitor/src/a.ts', '@trellis/contracts'],
    ['of test helpers in a test', 'packages/contracts/src/a.test.ts', '@trellis/test-support'],
  ])('an allowed one passes: %s', (_, file, specifier) => {
    expect(lint(file, specifier)).toBe('');
  });
});
