// Ends the servers when the process that supervises them vanishes without stopping them (SIGKILL, a crash).
// An ordered stop is left to the supervisor; a guard that has nothing to watch does nothing.
import { type ChildProcess, spawn } from 'node:child_process';

// It waits in a read; end of file means that the supervisor is gone, however that happened.
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

function tell(line: string): void {
  guard?.stdin?.write(`${line}\n`);
}

function startGuard(): void {
  // detached: a session of its own, so that what ends the supervisor's group does not end the guard.
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
  for (const [pid, signal] of watched) tell(`watch ${pid} ${signal.slice(3)}`);
}

/** From now on the process group `pid` gets `signal`, and 10 s later SIGKILL, when this process vanishes. */
export function guardProcess(pid: number, signal: NodeJS.Signals): void {
  watched.set(pid, signal);
  if (guard) tell(`watch ${pid} ${signal.slice(3)}`);
  else startGuard();
}

/** The process ended; its pid may soon belong to another. */
export function unguardProcess(pid: number): void {
  if (watched.delete(pid)) tell(`forget ${pid}`);
}
