import { type Clock, type OrganizationId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { BlobMissing, type BlobStore, sweepOrphans } from '@weir/platform';
import { type Logger } from 'pino';
import { type Readable } from 'node:stream';
import { type AudioMediaType } from './audio-type';
import { type VoiceFields } from './parse-voice-fields';
import { SampleStream } from './sample-stream';
import { newVoiceId, type Voice, type VoiceId, voiceNotFound } from './voice';
import { tooManyVoices, type VoiceTable } from './voice-table';

/** A recording in the store that is no voice yet. */
export interface StoredSample {
  readonly id: VoiceId;
  readonly mediaType: AudioMediaType;
  readonly bytes: number;
  readonly sha256: Buffer;
}

export interface VoiceOwner {
  readonly organizationId: OrganizationId;
  /** The proxy key that adds the voice. */
  readonly keyId: ProxyKeyId;
}

export interface VoicePage {
  /** Newest first. */
  readonly voices: readonly Voice[];
  readonly hasMore: boolean;
}

export interface VoicesOptions {
  readonly table: VoiceTable;
  readonly store: BlobStore<VoiceId>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Of one recording. */
  readonly maxBytes: number;
  readonly maxPerOrganization: number;
  /** A file without a row is somebody's upload for so long, and an orphan after it. Far longer than any upload takes. */
  readonly orphanGraceMs?: number;
}

const HOUR_MS = 3_600_000;
const SWEEP_INTERVAL_MS = 24 * HOUR_MS;
const BACKUP_PAGE = 500;

/**
 * The voices of organizations: a row each, and a file in the store. The file is stored before its
 * row is, and deleted after it, so that a row always has its file; what a crash leaves is a file
 * without a row, and is swept.
 */
export class Voices {
  private sweeping: NodeJS.Timeout | null = null;

  constructor(private readonly options: VoicesOptions) {}

  /** Sweeps now and once a day. */
  start(): void {
    if (this.sweeping !== null) return;
    this.sweeping = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS).unref();
    void this.sweep();
  }

  close(): void {
    if (this.sweeping !== null) clearInterval(this.sweeping);
    this.options.store.close();
  }

  /**
   * Asked before a recording is taken, so that nobody sends 50 MB in vain; `add` decides.
   * @throws WeirError conflict when the organization may have no more voices
   */
  async requireRoom(organizationId: OrganizationId): Promise<void> {
    const { table, maxPerOrganization } = this.options;
    if ((await table.count(organizationId)) >= maxPerOrganization) throw tooManyVoices(maxPerOrganization);
  }

  /**
   * Takes a recording into the store as it comes. It must become a voice by `add`, or be discarded.
   * @param announced what its sender says it is; null says nothing
   * @throws WeirError invalid_request, body_too_large or no_upstream_available; an error of `content` as it is
   */
  async storeSample(content: Readable, announced: string | null, signal?: AbortSignal): Promise<StoredSample> {
    const { store, table, clock, maxBytes } = this.options;
    const sample = await SampleStream.begin(content, announced, maxBytes);
    const id = newVoiceId(clock.nowMs());
    try {
      await store.put({ folder: await table.getFolder(), name: id }, sample.content, signal);
    } catch (error) {
      this.noteUnavailable(error);
      throw error;
    } finally {
      sample.content.destroy();
    }
    return { id, mediaType: sample.mediaType, bytes: sample.bytes, sha256: sample.sha256 };
  }

  /** Never throws: what cannot be deleted now is swept. */
  async discardSample({ id }: Pick<StoredSample, 'id'>): Promise<void> {
    await this.deleteFile(id);
  }

  /**
   * Makes a stored recording a voice. If it does not become one, its file goes.
   * @throws WeirError conflict when the name is taken or there is no room; database_unavailable
   */
  async add(owner: VoiceOwner, sample: StoredSample, fields: VoiceFields): Promise<Voice> {
    const voice: Voice = { ...sample, ...fields, organizationId: owner.organizationId, createdBy: owner.keyId, createdAtMs: this.options.clock.nowMs() };
    try {
      await this.options.table.insert(voice, this.options.maxPerOrganization);
    } catch (error) {
      // After any other error the row may be there all the same: the file stays, and is swept if it is not.
      if (error instanceof WeirError && error.code !== 'database_unavailable') await this.deleteFile(sample.id);
      throw error;
    }
    return voice;
  }

  /** @param page `after` is the last id of the page before */
  async list(organizationId: OrganizationId, page: { limit: number; after: VoiceId | null }): Promise<VoicePage> {
    const voices = await this.options.table.list(organizationId, page.limit + 1, page.after);
    return { voices: voices.slice(0, page.limit), hasMore: voices.length > page.limit };
  }

  /** Only the organization's own. One query, so ask once a request. */
  find(organizationId: OrganizationId, idOrName: string): Promise<Voice | null> {
    return this.options.table.find(organizationId, idOrName);
  }

  /** @throws WeirError not_found, also for another organization's */
  async get(organizationId: OrganizationId, idOrName: string): Promise<Voice> {
    const voice = await this.find(organizationId, idOrName);
    if (voice === null) throw voiceNotFound();
    return voice;
  }

  /**
   * The recording, exactly `voice.bytes` of it.
   * @throws WeirError not_found when it was deleted meanwhile, no_upstream_available
   */
  async open({ id, bytes }: Pick<Voice, 'id' | 'bytes'>, signal?: AbortSignal): Promise<Readable> {
    try {
      const opened = await this.options.store.open({ folder: await this.options.table.getFolder(), name: id }, signal);
      if (opened.bytes === bytes) return opened.content;
      opened.content.destroy();
      throw new Error(`the file of ${id} has ${opened.bytes} bytes, but ${bytes} were stored`);
    } catch (error) {
      this.noteUnavailable(error);
      if (!(error instanceof BlobMissing)) throw error;
      this.options.logger.warn({ voiceId: id }, 'a voice has no file in the voice store; it was deleted just now, or the store lost it');
      throw voiceNotFound();
    }
  }

  /** @throws WeirError not_found, also for another organization's and one that was deleted before */
  async delete(organizationId: OrganizationId, idOrName: string): Promise<Voice> {
    const voice = await this.get(organizationId, idOrName);
    if (!(await this.options.table.delete(voice))) throw voiceNotFound();
    await this.deleteFile(voice.id);
    return voice;
  }

  /** Every voice of every organization, oldest first, for a backup. One that is deleted meanwhile throws not_found in `open`. */
  async *listForBackup(): AsyncGenerator<{ readonly voice: Voice; readonly open: () => Promise<Readable> }> {
    let after: VoiceId | null = null;
    for (;;) {
      const page: Voice[] = await this.options.table.listAll(BACKUP_PAGE, after);
      for (const voice of page) yield { voice, open: () => this.open(voice) };
      if (page.length < BACKUP_PAGE) return;
      after = page[page.length - 1].id;
    }
  }

  /** Deletes files that no row knows. Never throws. @returns how many, with what uploads left unfinished */
  async sweep(): Promise<number> {
    const { table, store, clock, logger, orphanGraceMs = HOUR_MS } = this.options;
    try {
      const swept = await sweepOrphans({
        store,
        folder: await table.getFolder(),
        beforeMs: clock.nowMs() - orphanGraceMs,
        findUnknown: (ids) => table.findUnknown(ids),
      });
      if (swept > 0) logger.info({ swept }, 'deleted recordings that belong to no voice');
      return swept;
    } catch (error) {
      logger.warn({ err: error }, 'could not look for recordings that belong to no voice; tried again in a day');
      return 0;
    }
  }

  private async deleteFile(id: VoiceId): Promise<void> {
    try {
      await this.options.store.delete({ folder: await this.options.table.getFolder(), name: id });
    } catch (error) {
      this.options.logger.warn({ err: error, voiceId: id }, 'a recording could not be deleted; it is swept later');
    }
  }

  /** Callers are told that the store is away; why stands here alone. */
  private noteUnavailable(error: unknown): void {
    if (error instanceof WeirError && error.code === 'no_upstream_available') this.options.logger.warn({ reason: error.detail }, 'the voice store cannot be reached');
  }
}
