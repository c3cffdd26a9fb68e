import { AdminIdentities, type CreatedAdmin } from '@weir/access';
import { systemClock } from '@weir/kernel';
import { parseArgs } from 'node:util';
import { runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';
import { withDatabase } from './with-database';

const USAGE = 'usage: create_admin --username <name> [--email <address>] [--new-key] [--json]';

interface Arguments {
  readonly username: string;
  readonly email: string | null;
  readonly newKey: boolean;
  readonly json: boolean;
}

/**
 * Makes an owner of the installation and prints the admin key, this once. Run again it changes
 * nothing and says so; `--new-key` makes another key for the user who is there.
 */
export async function createAdmin({ args, environment, print }: ScriptInput): Promise<number> {
  const { username, email, newKey, json } = parseArguments(args);
  const admin = await withDatabase(environment, ({ dataSource }) =>
    new AdminIdentities(dataSource.manager, systemClock).createAdmin({ username, email, newKey }),
  );
  print(json ? toJson(admin) : toText(admin));
  return SUCCEEDED;
}

function parseArguments(args: readonly string[]): Arguments {
  const { username, email, 'new-key': newKey, json } = readOptions(args);
  if (username === undefined) throw new UsageError(USAGE);
  return { username, email: email ?? null, newKey: newKey === true, json: json === true };
}

function readOptions(args: readonly string[]) {
  const options = {
    username: { type: 'string' },
    email: { type: 'string' },
    'new-key': { type: 'boolean' },
    json: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch {
    throw new UsageError(USAGE);
  }
}

function toJson({ userId, username, email, role, created, issued }: CreatedAdmin): string {
  const answer = { user_id: userId, username, email, role, created, public_id: issued?.publicId ?? null, key: issued?.key.expose() ?? null };
  return JSON.stringify(answer) + '\n';
}

function toText({ username, role, created, issued }: CreatedAdmin): string {
  const who = created ? `Made ${username} (${role}).` : `${username} (${role}) was there already and is unchanged.`;
  if (issued === null) return `${who}\nNo key was made; --new-key makes another one.\n`;
  return `${who}\nAdmin key, shown only now: ${issued.key.expose()}\n`;
}

if (require.main === module) void runScript('create_admin', createAdmin);
