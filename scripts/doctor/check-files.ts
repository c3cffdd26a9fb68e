import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Configuration } from '@weir/platform';
import { type Finding, good, warning, wrong } from './finding';

/** Beyond the owner. */
const OTHERS = 0o077;
const GIGABYTE = 1024 ** 3;

/** The data folder: whose it is, who can read it, and whether the spool has room. */
export async function checkFiles({ dataDirectory, spoolMaxBytes }: Configuration, workingFolder: string, userId: number): Promise<Finding[]> {
  const findings = [...(await checkSecretFile(join(workingFolder, '.env')))];
  const folder = await stat(dataDirectory).catch(() => null);
  if (folder === null) return [...findings, warning(`the data folder ${dataDirectory} is not there yet`, 'the first start makes it; name a folder that outlasts the process with WEIR_DATA_DIR')];
  if (folder.uid !== userId) findings.push(wrong(`the data folder ${dataDirectory} belongs to another user`, `chown -R it to the user that runs Weir, or run this as that user (here: ${userId})`));
  else findings.push(good(`the data folder ${dataDirectory} belongs to the user that runs this`));
  // With the embedded database others may pass through to its part, and read nothing.
  if ((folder.mode & 0o066) !== 0) findings.push(wrong('others can read the data folder', `chmod 700 ${dataDirectory}`));
  const secrets = join(dataDirectory, 'secrets');
  for (const name of await readdir(secrets).catch(() => [])) findings.push(...(await checkSecretFile(join(secrets, name))));
  return [...findings, await checkSpace(dataDirectory, spoolMaxBytes)];
}

async function checkSecretFile(path: string): Promise<Finding[]> {
  const file = await stat(path).catch(() => null);
  if (file === null) return [];
  return (file.mode & OTHERS) === 0 ? [good(`only its owner can read ${path}`)] : [wrong(`others can read ${path}`, `chmod 600 ${path}`)];
}

async function checkSpace(folder: string, spoolMaxBytes: number): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const text = `${(freeBytes / GIGABYTE).toFixed(1)} GB are free on the disk of the data folder`;
  if (freeBytes < spoolMaxBytes / 10) return wrong(text, 'make room: without it new calls are refused');
  if (freeBytes < spoolMaxBytes) return warning(`${text}, less than SPOOL_MAX_BYTES`, 'make room, or lower SPOOL_MAX_BYTES: the disk would be full before Weir refuses new work by itself');
  return good(text);
}
