// Runs one server as a child process: spawn, wait until ready, restart with backoff, stop, kill.
// The command and the readiness check are left to the caller.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guardProcess, unguardProcess } from './guard.ts';
import { childrenOf, isRunning } from './process-identity.ts';

const LOG_LIMIT_BYTES = 20_000_000;
const BACKOFF_MS = [250, 1_000, 2_000, 5_000, 10_000, 15_000];
/** Interval of the log line for a start that takes long. */
const REMARK_MS = 10_000;
const HEALTHY_AFTER_MS = 60_000;
/** Time between `askToStop` and `stopSignal`: long enough if no client is connected. */
const ASK_GRACE_MS = 1_500;

export interface ProcessCommand {
  file: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
}

export interface SupervisedProcessOptions {
  name: string;
  /** Called before every start. */
  command: () => ProcessCommand | Promise<ProcessCommand>;
  /** Receives the output of the process. One older file is kept beside it. */
  logFile: string;
  /** Called until it returns true. An exception counts as false. */
  ready: () => Promise<boolean>;
  readyTimeoutMs?: number;
  stopSignal?: NodeJS.Signals;
  /** A gentler way to stop it, tried before `stopSignal`. */
  askToStop?: () => Promise<void>;
  /** Time between `stopSignal` and SIGKILL. */
  stopGraceMs?: number;
  /** Restart it if it ends unexpectedly. */
  supervise?: boolean;
  /** Cancels the first start: the process is killed. */
  signal?: AbortSignal;
  log?: (line: string) => void;
  /** Called whenever the process has started or ended. */
  changed?: () => void;
}

export interface SupervisedProcess extends AsyncDisposable {
  readonly name: string;
  /** Pid of the running process, else of the last one. */
  readonly pid: number;
  readonly running: boolean;
  /** Stops it: `askToStop`, then `stopSignal`, then SIGKILL. */
  stop(): Promise<void>;
  /** Sends SIGKILL to it and its children immediately, like a crash. It stays down until `restart`. */
  kill(): Promise<void>;
  /** Stops it if it runs, starts it again with the same command and waits until it is ready. */
  restart(): Promise<void>;
}

function lastLines(file: string, count: number): string {
  try {
    return readFileSync(file, 'utf8').slice(-4_000).trimEnd().split('\n').slice(-count).join('\n');
  } catch {
    return '';
  }
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file) && statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has already ended.
  }
}

/**
 * Starts the process and waits until it is ready.
 * @throws Error with the last lines of the log if it ends early, or is not ready in time and was killed
 */
export async function startSupervised(options: SupervisedProcessOptions): Promise<SupervisedProcess> {
  const { name, logFile, log = () => {}, changed = () => {} } = options;
  const { readyTimeoutMs = 60_000, stopGraceMs = 15_000, stopSignal = 'SIGTERM' } = options;

  let child: ChildProcess | undefined;
  let pid = 0;
  /** Resolves when the running process ends, with the signal or exit code. */
  let ended: Promise<string> = Promise.resolve('never started');
  let wanted = false;
  let restarts = 0;
  let wake: AbortController | undefined;
  let lastOperation: Promise<unknown> = Promise.resolve();

  /** stop, kill and restart run one after another and never overlap. */
  function serialize<T>(work: () => Promise<T>): Promise<T> {
    const result = lastOperation.then(work, work);
    lastOperation = result.catch(() => {});
    return result;
  }

  async function launch(): Promise<void> {
    const command = await options.command();
    const fd = openLog(logFile);
    const from = Date.now();
    const started = spawn(command.file, command.args, {
      stdio: ['ignore', fd, fd],
      detached: true,
      ...(command.env && { env: command.env }),
      ...(command.cwd && { cwd: command.cwd }),
      ...(command.uid !== undefined && { uid: command.uid }),
      ...(command.gid !== undefined && { gid: command.gid }),
    });
    closeSync(fd);
    const end = Promise.withResolvers<string>();
    started.once('error', (error) => end.resolve(error.message));
    started.once('exit', (code, signal) => end.resolve(signal ?? `exit code ${code}`));
    const myEnd = end.promise.then((how) => {
      if (started.pid) unguardProcess(started.pid);
      if (child === started) child = undefined;
      changed();
      return how;
    });
    ended = myEnd;
    child = started;
    if (started.pid) {
      pid = started.pid;
      guardProcess(pid, stopSignal);
    }
    changed();

    let endedWith: string | undefined;
    void myEnd.then((how) => {
      endedWith = how;
    });
    const deadline = from + readyTimeoutMs;
    let nextRemark = from + REMARK_MS;
    for (let pause = 20; ; pause = Math.min(pause * 1.5, 200)) {
      if (endedWith !== undefined) {
        throw new Error(
          `${name} ended while starting (${endedWith}); the end of ${logFile}:\n${lastLines(logFile, 15)}`,
        );
      }
      if (options.signal?.aborted) {
        await signalAll('SIGKILL');
        throw new Error(`${name} was stopped while starting`);
      }
      if (await options.ready().catch(() => false)) break;
      if (Date.now() > deadline) {
        await signalAll('SIGKILL');
        throw new Error(
          `${name} was not ready after ${readyTimeoutMs / 1000} s; the end of ${logFile}:\n${lastLines(logFile, 15)}`,
        );
      }
      if (Date.now() > nextRemark) {
        log(`still waiting for ${name} (${Math.round((Date.now() - from) / 1000)} s); its output is in ${logFile}`);
        nextRemark += REMARK_MS;
      }
      await Promise.race([delay(pause), myEnd]);
    }
    void myEnd.then((how) => {
      if (wanted && options.supervise) void restartLater(how, Date.now() - from);
    });
  }

  async function restartLater(how: string, ranMs: number): Promise<void> {
    if (!wanted) return;
    if (ranMs > HEALTHY_AFTER_MS) restarts = 0;
    const pause = BACKOFF_MS[Math.min(restarts++, BACKOFF_MS.length - 1)] as number;
    log(`${name} ended unexpectedly (${how}); restarting it in ${pause / 1000} s, its output is in ${logFile}`);
    wake = new AbortController();
    await delay(pause, undefined, { signal: wake.signal, ref: false }).catch(() => {});
    await serialize(async () => {
      if (!wanted || child) return;
      try {
        await launch();
        log(`${name} is running again (pid ${pid})`);
      } catch (error) {
        void restartLater((error as Error).message, 0);
      }
    });
  }

  /** Sends a signal to the running process; SIGKILL goes to its children too. */
  async function signalAll(signal: NodeJS.Signals): Promise<void> {
    const started = child;
    if (!started?.pid) return;
    const children = signal === 'SIGKILL' ? childrenOf(started.pid) : [];
    signalGroup(started.pid, signal);
    for (const one of children) {
      try {
        process.kill(one, signal);
      } catch {
        // It has already ended.
      }
    }
    if (signal !== 'SIGKILL') return;
    await ended;
    // PostgreSQL cannot restart while a child of the killed server still uses the shared memory.
    for (let waited = 0; waited < 5_000 && children.some(isRunning); waited += 10) await delay(10);
  }

  async function halt(): Promise<void> {
    if (!child) return;
    if (options.askToStop) {
      await Promise.race([options.askToStop().catch(() => {}), delay(2_000, undefined, { ref: false })]);
      await Promise.race([ended, delay(ASK_GRACE_MS, undefined, { ref: false })]);
    }
    await signalAll(stopSignal);
    const late = Symbol('late');
    if (child && (await Promise.race([ended, delay(stopGraceMs, late, { ref: false })])) === late) {
      log(`${name} did not end within ${stopGraceMs / 1000} s of ${stopSignal}, killing it`);
      await signalAll('SIGKILL');
    }
  }

  const self: SupervisedProcess = {
    name,
    get pid() {
      return pid;
    },
    get running() {
      return child !== undefined;
    },
    stop() {
      wanted = false;
      wake?.abort();
      return serialize(halt);
    },
    kill() {
      wanted = false;
      wake?.abort();
      // Immediately, so that it also shortens a running stop; then again in order, for a start that was about to begin.
      const now = signalAll('SIGKILL');
      return serialize(async () => {
        await now;
        await signalAll('SIGKILL');
      });
    },
    restart() {
      return serialize(async () => {
        wanted = false;
        await halt();
        await launch();
        wanted = true;
      });
    },
    [Symbol.asyncDispose]() {
      return self.stop();
    },
  };
  await serialize(launch);
  wanted = true;
  return self;
}
