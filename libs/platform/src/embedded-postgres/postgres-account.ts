import { execFile } from 'node:child_process';
import { chmod, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { type PostgresBinaries } from './postgres-binaries';

const run = promisify(execFile);

/** As whom the server runs. */
export interface PostgresAccount {
  /** A user's name, or in words what it is. */
  readonly name: string;
  /** Given to spawn(); undefined leaves the process as it is. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** A command that runs its arguments as the account; empty when none is needed. */
  readonly prefix: readonly string[];
  /** Who must own the cluster; null when that is whoever we are. */
  readonly owner: { uid: number; gid: number } | null;
}

const OURSELVES: PostgresAccount = { name: 'this user', uid: undefined, gid: undefined, prefix: [], owner: null };

/**
 * In a user namespace we look like `nobody`, which satisfies PostgreSQL, and still reach our own
 * files, so that a checkout under /root works.
 */
const NAMESPACE: PostgresAccount = {
  name: 'a user namespace',
  uid: undefined,
  gid: undefined,
  prefix: ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'],
  owner: null,
};
const SUPERUSER = { uid: 0, gid: 0 };

/**
 * PostgreSQL refuses to run as the superuser. Then, in this order: the owner of the data folder
 * or the user `postgres`, where that user can reach the files; a user namespace; and where those
 * are forbidden (most containers), such a user with the right to pass closed folders.
 */
export async function choosePostgresAccount(binaries: PostgresBinaries, dataDirectory: string): Promise<PostgresAccount> {
  if (process.platform === 'win32') return OURSELVES;
  if (process.getuid?.() !== 0) {
    // initdb wants a name. A container started under any number (`--user 1234`) has none.
    const isNameless = !hasName() && (await canReach(NAMESPACE, binaries, dataDirectory));
    return isNameless ? NAMESPACE : OURSELVES;
  }
  const users = await findUsers(dataDirectory);
  for (const user of users) {
    // Servers of every kind run as `nobody`: one of them could read a database that it owns.
    if (user.name !== 'nobody' && (await canReachIfOpened(user, binaries, dataDirectory))) return user;
  }
  if (await canReach(NAMESPACE, binaries, dataDirectory)) return { ...NAMESPACE, owner: SUPERUSER };
  for (const user of users) {
    const account = withPassage(user);
    if (await canReach(account, binaries, dataDirectory)) return account;
  }
  throw new Error(
    `PostgreSQL refuses to run as the superuser, and no other user of this machine can reach ${dataDirectory}; ` +
      'start Weir as an ordinary user, or set DATABASE_URL',
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

async function findUsers(dataDirectory: string): Promise<PostgresAccount[]> {
  const { uid } = await stat(dataDirectory);
  const names = uid === 0 ? ['postgres', 'nobody'] : [String(uid), 'postgres', 'nobody'];
  const users = await Promise.all(names.map(findUser));
  return users.filter((user) => user !== null);
}

async function findUser(name: string): Promise<PostgresAccount | null> {
  try {
    const [uid, gid] = (await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])).map(({ stdout }) => Number(stdout));
    if (!Number.isInteger(uid) || !Number.isInteger(gid) || uid === 0) return null;
    return { name, uid, gid, prefix: [], owner: { uid, gid } };
  } catch {
    return null;
  }
}

function withPassage(user: PostgresAccount): PostgresAccount {
  return {
    name: `${user.name}, passing closed folders`,
    uid: undefined,
    gid: undefined,
    prefix: [
      'setpriv',
      `--reuid=${user.owner?.uid}`,
      `--regid=${user.owner?.gid}`,
      '--clear-groups',
      '--inh-caps=-all,+dac_override',
      '--ambient-caps=-all,+dac_override',
      '--bounding-set=-all,+dac_override',
      '--no-new-privs',
      '--',
    ],
    owner: user.owner,
  };
}

/** Lets others pass through the superuser's data folder, not list it; what is inside guards itself. */
async function canReachIfOpened(account: PostgresAccount, binaries: PostgresBinaries, dataDirectory: string): Promise<boolean> {
  const { uid, mode } = await stat(dataDirectory);
  if (uid !== 0) return canReach(account, binaries, dataDirectory);
  await chmod(dataDirectory, 0o711);
  if (await canReach(account, binaries, dataDirectory)) return true;
  await chmod(dataDirectory, mode & 0o777);
  return false;
}

async function canReach(account: PostgresAccount, binaries: PostgresBinaries, dataDirectory: string): Promise<boolean> {
  const script = 'test "$(id -u)" != 0 && test -x "$1" && test -r "$2/share" && cd "$3"';
  const [command, ...args] = [...account.prefix, '/bin/sh', '-c', script, 'sh', binaries.postgres, binaries.folder, dataDirectory];
  try {
    await run(command, args, { cwd: '/', uid: account.uid, gid: account.gid, env: { PATH: process.env.PATH ?? '' } });
    return true;
  } catch {
    return false;
  }
}
