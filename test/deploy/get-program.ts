import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Where Debian has servers, which a user's PATH may leave out. */
const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * Where a program is. As superuser on Debian it is installed when it is missing.
 * @throws Error that says what to install
 */
export async function getProgram(name: string, debianPackage = name): Promise<string> {
  const path = (await findProgram(name)) ?? (await installOnDebian(name, debianPackage));
  if (path === null) throw new Error(`the tests of the deployment need a real ${name}: install ${debianPackage}`);
  return path;
}

export async function findProgram(name: string): Promise<string | null> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...FOLDERS]) {
    const path = join(folder, name);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  return null;
}

async function installOnDebian(name: string, debianPackage: string): Promise<string | null> {
  if (process.getuid?.() !== 0 || !(await isExecutable('/usr/bin/apt-get'))) return null;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update'], { env });
  // Only the program: a package's service is not to be started on the machine of the tests.
  await run('apt-get', ['install', '-y', '--no-install-recommends', debianPackage], { env: { ...env, RUNLEVEL: '1' } });
  return findProgram(name);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
