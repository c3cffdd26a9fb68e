import { open } from 'node:fs/promises';

/** Without this a new name in the folder may be lost when the power goes. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
