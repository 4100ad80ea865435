// Finds or installs the tool chain (Node 24, pnpm) and the project's packages with any npm of the machine.
// Plain JavaScript that Node 18 can run; everything else in the project is TypeScript.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const NODE_VERSION = readFileSync(join(root, '.nvmrc'), 'utf8').trim();
const PNPM_VERSION = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager.split('@')[1];

/** Cache folder for tool chain and servers, shared by all checkouts. `TRELLIS_CACHE` overrides it. */
function cacheFolder() {
  const base =
    process.env.TRELLIS_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'trellis-jobs');
  mkdirSync(base, { recursive: true });
  return base;
}

/** Runs a command to its end and returns its last output; rejects with it if the command fails. */
function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let tail = '';
    const keep = (chunk) => {
      tail = (tail + chunk).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(tail) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${tail}`)),
    );
  });
}

/** Prints what is being done, again every 10 s with the elapsed time. */
async function withProgress(what, work) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  process.stderr.write(`trellis: ${what} …\n`);
  const timer = setInterval(() => process.stderr.write(`trellis: ${what} … ${seconds()} s\n`), 10_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Runs `work` while `folder` serves as a lock between processes. The lock of a dead process is taken over. */
async function withLock(folder, work) {
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      let owner = 0;
      try {
        owner = Number(readFileSync(join(folder, 'pid'), 'utf8'));
        process.kill(owner, 0);
      } catch (gone) {
        const young = existsSync(folder) && Date.now() - statSync(folder).mtimeMs < 5_000;
        if (gone.code === 'ESRCH' || !young) rmSync(folder, { recursive: true, force: true });
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  writeFileSync(join(folder, 'pid'), String(process.pid));
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function install() {
  const cache = cacheFolder();
  const home = join(cache, `node-${NODE_VERSION}-pnpm-${PNPM_VERSION}`);
  const modules = join(home, 'node_modules');
  const node = join(modules, 'node', 'bin', 'node');
  const pnpm = join(modules, '.bin', 'pnpm');
  if (!existsSync(node) || !existsSync(pnpm)) {
    await withLock(`${home}.lock`, async () => {
      if (existsSync(node) && existsSync(pnpm)) return;
      const fresh = `${home}.${process.pid}`;
      mkdirSync(fresh, { recursive: true });
      writeFileSync(join(fresh, 'package.json'), '{"private":true}');
      await withProgress(
        `installing Node ${NODE_VERSION} and pnpm ${PNPM_VERSION} from the npm registry into ${home}`,
        () =>
          run(
            'npm',
            [
              'install',
              '--no-audit',
              '--no-fund',
              '--ignore-scripts=false',
              `node@${NODE_VERSION}`,
              `pnpm@${PNPM_VERSION}`,
            ],
            {
              cwd: fresh,
            },
          ),
      );
      rmSync(home, { recursive: true, force: true });
      renameSync(fresh, home);
    });
  }
  return { node, bin: [dirname(node), join(modules, '.bin')] };
}

function manifests() {
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const folder of ['apps', 'packages', 'infra', 'test']) {
    for (const name of existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : []) {
      const file = join(folder, name, 'package.json');
      if (existsSync(join(root, file))) files.push(file);
    }
  }
  return files.filter((file) => existsSync(join(root, file)));
}

async function installPackages(env) {
  const hash = createHash('sha256');
  for (const file of manifests()) hash.update(file).update(readFileSync(join(root, file)));
  const want = hash.digest('hex');
  const stamp = join(root, 'node_modules', '.trellis-installed');
  const done = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === want;
  if (done()) return;
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  await withLock(join(root, 'node_modules', '.trellis-lock'), async () => {
    if (done()) return;
    await withProgress("installing the project's packages (the first time about 700 MB, including ClickHouse)", () =>
      run('pnpm', ['install', '--frozen-lockfile', '--reporter=append-only'], {
        cwd: root,
        env: { ...env, CI: 'true' },
      }),
    );
    writeFileSync(stamp, want);
  });
}

/**
 * Installs Node 24, pnpm and the project's packages if they are missing.
 * @returns {Promise<{node: string, env: NodeJS.ProcessEnv}>} the Node 24 binary and an environment with it first on PATH
 */
export async function ensureToolchain({ packages = true } = {}) {
  const { node, bin } = await install();
  const env = {
    ...process.env,
    PATH: [...bin, join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
    TRELLIS_CACHE: cacheFolder(),
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
  };
  if (packages) await installPackages(env);
  return { node, env };
}
