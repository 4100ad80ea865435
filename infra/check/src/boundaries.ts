// Generates the linter's rules on imports between packages from the list of layers. `npm run format` writes them to
// boundaries.biome.json, which biome.json extends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPS, LAYERS, TEST_PACKAGES, TOOLS } from './layers.ts';
import { root } from './run-step.ts';

/** The generated file, relative to the root of the repository. */
export const BOUNDARIES_FILE = 'infra/check/boundaries.biome.json';

interface Pattern {
  group: string[];
  message: string;
}

const LIBRARIES = LAYERS.flat();
const IMPORTABLE = [...LIBRARIES, ...TEST_PACKAGES];
const TEST_FILES = ['**/*.test.ts', '**/testing/**'];

interface Manifest {
  name: string;
  exports?: Record<string, string>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;

const nameOf = (folder: string): string => manifestOf(folder).name;

/** Forbids `../../<folder>/src/…` and `<name>/src/…`, which import internal files instead of the package. */
function noReachingInto(folder: string): Pattern {
  const { name, exports = {} } = manifestOf(folder);
  const entries = Object.keys(exports).map((entry) => `${name}${entry.slice(1)}`);
  const short = folder.split('/').at(-1);
  return {
    group: [
      `**/../${short}/src/**`,
      `**/${folder}/**`,
      `${name}/**`,
      ...entries.filter((e) => e !== name).map((e) => `!${e}`),
    ],
    message: `Packages import one another by name: import { … } from '${entries.join("' or '") || name}'.`,
  };
}

const noApps: Pattern = {
  group: [...APPS.map(nameOf), ...APPS.flatMap((app) => [`**/../${app.split('/').at(-1)}/src/**`, `**/${app}/**`])],
  message: 'Apps must not be imported. Move the shared code into a package.',
};

const noTestPackages = (allowed: string): Pattern => ({
  group: [...TEST_PACKAGES, ...TOOLS].map(nameOf),
  message: `Only tests, testing/ folders, test/ and infra/ import test servers and test helpers. Allowed here: ${allowed}.`,
});

function override(includes: string[], patterns: Pattern[]): object {
  const noRestrictedImports = { level: 'error', options: { patterns } };
  return { includes, linter: { rules: { style: { noRestrictedImports } } } };
}

/** One override for the sources of `folder` and one for its tests, which may also import the test packages. */
function overridesOf(folder: string, allowed: readonly string[]): object[] {
  const names = allowed.map(nameOf).join(', ') || 'no workspace package';
  const upward = LIBRARIES.filter((other) => !allowed.includes(other)).map(nameOf);
  const noUpward: Pattern = {
    group: upward,
    message: `${folder} may import ${names}. Pass the rest in as an argument, or move it to a lower layer (infra/check/src/layers.ts).`,
  };
  const always = [noApps, ...IMPORTABLE.filter((other) => other !== folder).map(noReachingInto)];
  const limits = upward.length > 0 ? [noUpward] : [];
  return [
    override([`${folder}/**`, ...TEST_FILES.map((glob) => `!${glob}`)], [...always, ...limits, noTestPackages(names)]),
    override([...TEST_FILES.map((glob) => `${folder}/${glob}`)], [...always, ...limits]),
  ];
}

/** The content of the generated file. */
export function describeBoundaries(): string {
  const overrides = LAYERS.flatMap((layer, height) =>
    layer.flatMap((folder) => overridesOf(folder, LAYERS.slice(0, height).flat())),
  );
  for (const app of APPS) overrides.push(...overridesOf(app, LIBRARIES));
  for (const tool of [...TEST_PACKAGES, ...TOOLS]) overrides.push(override([`${tool}/**`], [noApps]));
  const lines = overrides.map((one) => JSON.stringify(one));
  return `{ "overrides": [\n${lines.join(',\n')}\n] }\n`;
}
