// Ends the servers if their supervisor dies without stopping them (SIGKILL, a crash).
// A normal stop is left to the supervisor; then the guard has nothing to do.
import { type ChildProcess, spawn } from 'node:child_process';

// It blocks in a read. End of file means that the supervisor has ended, for whatever reason.
const SCRIPT = `
trap '' INT TERM HUP
watched=
while read -r verb pid signal; do
  rest=
  for entry in $watched; do [ "\${entry%%:*}" = "$pid" ] || rest="$rest $entry"; done
  watched=$rest
  [ "$verb" = watch ] && watched="$watched $pid:$signal"
done
for entry in $watched; do kill -s "\${entry##*:}" -- "-\${entry%%:*}" 2>/dev/null; done
waited=0
while [ $waited -lt 100 ]; do
  left=
  for entry in $watched; do kill -0 -- "-\${entry%%:*}" 2>/dev/null && left=1; done
  [ -z "$left" ] && exit 0
  sleep 0.1
  waited=$((waited + 1))
done
for entry in $watched; do kill -s KILL -- "-\${entry%%:*}" 2>/dev/null; done
`;

const watched = new Map<number, NodeJS.Signals>();
let guard: ChildProcess | undefined;

function send(line: string): void {
  guard?.stdin?.write(`${line}\n`);
}

function startGuard(): void {
  // detached starts a new session, so that a signal to the supervisor's process group does not reach the guard.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'trellis-guard'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard = child;
  child.unref();
  child.stdin.on('error', () => {});
  (child.stdin as unknown as { unref(): void }).unref();
  child.on('error', () => {
    guard = undefined;
  });
  child.on('exit', () => {
    if (guard !== child) return;
    guard = undefined;
    if (watched.size > 0) startGuard();
  });
  for (const [pid, signal] of watched) send(`watch ${pid} ${signal.slice(3)}`);
}

/** If this process dies from now on, the process group `pid` gets `signal`, and SIGKILL 10 s later. */
export function guardProcess(pid: number, signal: NodeJS.Signals): void {
  watched.set(pid, signal);
  if (guard) send(`watch ${pid} ${signal.slice(3)}`);
  else startGuard();
}

/** Call it when the process has ended: the system may reuse its pid. */
export function unguardProcess(pid: number): void {
  if (watched.delete(pid)) send(`forget ${pid}`);
}
