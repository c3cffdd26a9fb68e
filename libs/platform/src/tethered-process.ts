import { type ChildProcess, spawn } from 'node:child_process';

export interface TetheredOptions {
  cwd?: string;
  environment: NodeJS.ProcessEnv;
  /** Run as this account; only the superuser may say so. */
  uid?: number;
  gid?: number;
}

/**
 * A shell stands between Weir and the server and waits on a pipe that only Weir holds: when Weir
 * dies, even by kill -9, the pipe ends and the shell interrupts the server. It waits in the
 * background (and reads through file 3, because a background command's standard input is
 * /dev/null), so that the shell itself ends as soon as the server does.
 */
const TETHER = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _; kill -INT "$server"; } <&3 3<&- 2>/dev/null & watcher=$!
exec 3<&-
wait "$server"; status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

/**
 * Starts a server that never outlives this process. End its standard input to stop it by SIGINT.
 * It gets a session of its own: Ctrl-C reaches Weir alone, which stops its server after draining.
 * Windows has no such shell; there the server is started as it is.
 */
export function spawnTethered(command: string, args: readonly string[], options: TetheredOptions): ChildProcess {
  const spawnOptions = {
    cwd: options.cwd ?? '/',
    env: options.environment,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'] satisfies ['pipe', 'pipe', 'pipe'],
  };
  const child =
    process.platform === 'win32'
      ? spawn(command, args, { ...spawnOptions, cwd: options.cwd, detached: false, windowsHide: true })
      : spawn('/bin/sh', ['-c', TETHER, 'sh', command, ...args], spawnOptions);
  // The pipe breaks when the server ends first; that is told by 'exit', not by an uncaught EPIPE.
  child.stdin?.on('error', () => undefined);
  return child;
}
