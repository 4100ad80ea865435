// Runs one server in a process of its own: spawn, wait until ready, restart with backoff, stop, kill.
// What a server needs to run, and how one sees that it is ready, is left to whoever describes it.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guardProcess, unguardProcess } from './guard.ts';
import { childrenOf, isRunning } from './process-identity.ts';

const LOG_LIMIT_BYTES = 20_000_000;
const BACKOFF_MS = [250, 1_000, 2_000, 5_000, 10_000, 15_000];
/** A start that takes longer is mentioned, again after as long. */
const PATIENCE_MS = 10_000;
const HEALTHY_AFTER_MS = 60_000;
/** Time between asking gently and `stopSignal`: enough when nobody is connected any more. */
const ASKED_GRACE_MS = 1_500;

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
  /** Asked before every start. */
  command: () => ProcessCommand | Promise<ProcessCommand>;
  /** Output of the process; one older file is kept beside it. */
  logFile: string;
  /** Asked until it answers true; an exception counts as "not yet". */
  ready: () => Promise<boolean>;
  readyTimeoutMs?: number;
  stopSignal?: NodeJS.Signals;
  /** A gentler way to ask for the end, tried before `stopSignal`. */
  askToStop?: () => Promise<void>;
  /** Time between `stopSignal` and SIGKILL. */
  stopGraceMs?: number;
  /** Start it again when it ends unasked. */
  supervise?: boolean;
  /** Gives the first start up: the process is killed then. */
  signal?: AbortSignal;
  log?: (line: string) => void;
  /** Called after every start and every end. */
  changed?: () => void;
}

export interface SupervisedProcess extends AsyncDisposable {
  readonly name: string;
  /** Of the running process, or of the last one. */
  readonly pid: number;
  readonly running: boolean;
  /** Ends it in order: asks, then signals, then kills. */
  stop(): Promise<void>;
  /** SIGKILL at once to it and its children, as a crash would be; it stays down until `restart`. */
  kill(): Promise<void>;
  /** Starts it again where it was (stopping it first when it runs) and waits until it is ready. */
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
    // Gone already.
  }
}

/**
 * Starts the process and waits until it is ready.
 * @throws Error with the log's last lines when it ends before, or is not ready in time (then it is killed)
 */
export async function startSupervised(options: SupervisedProcessOptions): Promise<SupervisedProcess> {
  const { name, logFile, log = () => {}, changed = () => {} } = options;
  const { readyTimeoutMs = 60_000, stopGraceMs = 15_000, stopSignal = 'SIGTERM' } = options;

  let child: ChildProcess | undefined;
  let pid = 0;
  /** Ends of the running process: resolves with a description of how. */
  let ended: Promise<string> = Promise.resolve('never started');
  let wanted = false;
  let restarts = 0;
  let wake: AbortController | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** stop, kill and restart follow one another, never overlap. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work, work);
    turn = mine.catch(() => {});
    return mine;
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

    let gone: string | undefined;
    void myEnd.then((how) => {
      gone = how;
    });
    const deadline = from + readyTimeoutMs;
    let patience = from + PATIENCE_MS;
    for (let pause = 20; ; pause = Math.min(pause * 1.5, 200)) {
      if (gone !== undefined) {
        throw new Error(`${name} ended while starting (${gone}); the end of ${logFile}:\n${lastLines(logFile, 15)}`);
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
      if (Date.now() > patience) {
        log(`still waiting for ${name} (${Math.round((Date.now() - from) / 1000)} s); its output is in ${logFile}`);
        patience += PATIENCE_MS;
      }
      await Promise.race([delay(pause), myEnd]);
    }
    void myEnd.then((how) => {
      if (wanted && options.supervise) void comeBack(how, Date.now() - from);
    });
  }

  async function comeBack(how: string, ranMs: number): Promise<void> {
    if (!wanted) return;
    if (ranMs > HEALTHY_AFTER_MS) restarts = 0;
    const pause = BACKOFF_MS[Math.min(restarts++, BACKOFF_MS.length - 1)] as number;
    log(`${name} ended unasked (${how}); starting it again in ${pause / 1000} s, its output is in ${logFile}`);
    wake = new AbortController();
    await delay(pause, undefined, { signal: wake.signal, ref: false }).catch(() => {});
    await inTurn(async () => {
      if (!wanted || child) return;
      try {
        await launch();
        log(`${name} is up again (pid ${pid})`);
      } catch (error) {
        void comeBack((error as Error).message, 0);
      }
    });
  }

  /** Ends the running process with a signal, its children too when it is killed. */
  async function signalAll(signal: NodeJS.Signals): Promise<void> {
    const started = child;
    if (!started?.pid) return;
    const children = signal === 'SIGKILL' ? childrenOf(started.pid) : [];
    signalGroup(started.pid, signal);
    for (const one of children) {
      try {
        process.kill(one, signal);
      } catch {
        // Gone already.
      }
    }
    if (signal !== 'SIGKILL') return;
    await ended;
    // PostgreSQL does not start again while a child of the killed one still holds the shared memory.
    for (let waited = 0; waited < 5_000 && children.some(isRunning); waited += 10) await delay(10);
  }

  async function halt(): Promise<void> {
    if (!child) return;
    if (options.askToStop) {
      await Promise.race([options.askToStop().catch(() => {}), delay(2_000, undefined, { ref: false })]);
      await Promise.race([ended, delay(ASKED_GRACE_MS, undefined, { ref: false })]);
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
      return inTurn(halt);
    },
    kill() {
      wanted = false;
      wake?.abort();
      // At once, so that it also cuts a stop short; and in turn, for a start that was about to begin.
      const now = signalAll('SIGKILL');
      return inTurn(async () => {
        await now;
        await signalAll('SIGKILL');
      });
    },
    restart() {
      return inTurn(async () => {
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
  await inTurn(launch);
  wanted = true;
  return self;
}
