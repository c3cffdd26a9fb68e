import { type SegmentFile, syncFolder } from './segment-file';

type SyncedFile = Pick<SegmentFile, 'sync' | 'close' | 'isRetired' | 'isCarrySynced'>;

export interface GroupSyncOptions {
  readonly folder: string;
  readonly delayMs: number;
  readonly onSynced: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Tells the disk to keep what was written, for many writes at once: at most one such call is under
 * way, and it begins at most `delayMs` after a write, or when the one before is done.
 */
export class GroupSync {
  readonly #options: GroupSyncOptions;
  readonly #written = new Set<SyncedFile>();
  #isFolderNew = false;
  #timer: NodeJS.Timeout | null = null;
  #isDue = false;
  #running: Promise<void> | null = null;

  constructor(options: GroupSyncOptions) {
    this.#options = options;
  }

  /** Something was written to it, or it was retired: a retired file is closed when it is synced. */
  note(file: SyncedFile): void {
    this.#written.add(file);
    this.#timer ??= setTimeout(this.#onTimer, this.#options.delayMs);
  }

  /** Also its name must be kept. */
  noteNew(file: SyncedFile): void {
    this.#isFolderNew = true;
    this.note(file);
  }

  /** Syncs what is left. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isDue = false;
    await this.#running;
    await this.#syncWritten();
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#isDue = true;
    this.#run();
  };

  #run(): void {
    if (this.#running !== null || !this.#isDue) return;
    this.#isDue = false;
    this.#running = this.#syncWritten().finally(() => {
      this.#running = null;
      this.#run();
    });
  }

  async #syncWritten(): Promise<void> {
    const files = [...this.#written];
    this.#written.clear();
    try {
      for (const file of files) await syncFile(file);
      if (this.#isFolderNew) {
        this.#isFolderNew = false;
        await syncFolder(this.#options.folder);
      }
      for (const file of files) file.isCarrySynced = true;
      this.#options.onSynced();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }
}

async function syncFile(file: SyncedFile): Promise<void> {
  // Asked before: what is written while the sync is under way needs another one.
  const { isRetired } = file;
  try {
    await file.sync();
  } finally {
    if (isRetired) file.close();
  }
}
