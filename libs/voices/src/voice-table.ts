import { type OrganizationId, parseId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { toErrorCode } from '@weir/platform';
import { type DataSource, type EntityManager, QueryFailedError } from 'typeorm';
import { type AudioMediaType } from './audio-type';
import { toNameKey } from './parse-voice-fields';
import { isVoiceId, type Voice, type VoiceId } from './voice';

interface VoiceRow {
  readonly id: VoiceId;
  readonly organization_id: string;
  readonly name: string;
  readonly consent: string;
  readonly ref_text: string | null;
  // A constraint of the table knows no types: only `insert` writes it.
  readonly media_type: AudioMediaType;
  readonly bytes: number;
  readonly sha256: Buffer;
  readonly created_at: Date;
  readonly created_by: string | null;
}

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
/** Classes of PostgreSQL's errors that are about the server and not the statement: connection, resources, intervention. */
const SERVER_AWAY = /^(?:08|53|57)/;
const SQL_STATE = /^[0-9A-Z]{5}$/;
const RETRY_AFTER_MS = 1000;
const COLUMNS = 'id, organization_id, name, consent, ref_text, media_type, bytes, sha256, created_at, created_by';

/**
 * The table of voices. Each method ends within `timeoutMs`.
 * @throws WeirError database_unavailable from each method, when PostgreSQL does not answer
 */
export class VoiceTable {
  private folder: string | null = null;

  constructor(
    private readonly dataSource: DataSource,
    private readonly timeoutMs = 5_000,
  ) {}

  /** The folder of this installation in any voice store, made with the table. */
  async getFolder(): Promise<string> {
    if (this.folder !== null) return this.folder;
    const [row]: { id: string }[] = await this.query('SELECT id FROM voice_folder', []);
    if (row === undefined) throw new Error('the table voice_folder has lost its row; restore it from a backup');
    this.folder = row.id;
    return row.id;
  }

  /**
   * @throws WeirError conflict when the name is taken or the organization has `mostVoices`: nothing was inserted then.
   *   After any other error it may have been.
   */
  async insert(voice: Voice, mostVoices: number): Promise<void> {
    await this.bounded(() => this.dataSource.transaction((manager) => insertVoice(manager, voice, mostVoices)));
  }

  async count(organizationId: OrganizationId): Promise<number> {
    const [{ count }]: { count: number }[] = await this.query('SELECT count(*)::integer AS count FROM voices WHERE organization_id = $1', [organizationId]);
    return count;
  }

  /** Newest first. */
  async list(organizationId: OrganizationId, limit: number, after: VoiceId | null): Promise<Voice[]> {
    const rows: VoiceRow[] = await this.query(
      `SELECT ${COLUMNS} FROM voices WHERE organization_id = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
      [organizationId, after, limit],
    );
    return rows.map(toVoice);
  }

  async find(organizationId: OrganizationId, idOrName: string): Promise<Voice | null> {
    // PostgreSQL's text takes no NUL; such a name is nobody's.
    if (idOrName.includes('\0')) return null;
    const [column, value] = isVoiceId(idOrName) ? ['id', idOrName] : ['name_key', toNameKey(idOrName)];
    const [row]: VoiceRow[] = await this.query(`SELECT ${COLUMNS} FROM voices WHERE organization_id = $1 AND ${column} = $2`, [organizationId, value]);
    return row === undefined ? null : toVoice(row);
  }

  /** @returns whether it was there */
  async delete({ id, organizationId }: Voice): Promise<boolean> {
    const [rows]: [unknown[], number] = await this.query('DELETE FROM voices WHERE id = $1 AND organization_id = $2 RETURNING id', [id, organizationId]);
    return rows.length > 0;
  }

  /** Of every organization, oldest first. */
  async listAll(limit: number, after: VoiceId | null): Promise<Voice[]> {
    const rows: VoiceRow[] = await this.query(`SELECT ${COLUMNS} FROM voices WHERE ($1::text IS NULL OR id > $1) ORDER BY id LIMIT $2`, [after, limit]);
    return rows.map(toVoice);
  }

  /** Which of the ids have no row. */
  async findUnknown(ids: readonly VoiceId[]): Promise<VoiceId[]> {
    const rows: { id: VoiceId }[] = await this.query(
      'SELECT stored.id FROM unnest($1::text[]) AS stored (id) WHERE NOT EXISTS (SELECT FROM voices WHERE voices.id = stored.id)',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  private query<Rows>(sql: string, parameters: unknown[]): Promise<Rows> {
    return this.bounded(() => this.dataSource.query<Rows>(sql, parameters));
  }

  private async bounded<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(databaseUnavailable('no answer in time')), this.timeoutMs);
    });
    const asked = ask();
    // Its answer may come when nobody waits any more.
    asked.catch(() => undefined);
    try {
      return await Promise.race([asked, late]);
    } catch (error) {
      throw toTableError(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function insertVoice(manager: EntityManager, voice: Voice, mostVoices: number): Promise<void> {
  // One after another in an organization: two that count at the same time would both find room.
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir/voices/${voice.organizationId}`]);
  const [{ count }]: { count: number }[] = await manager.query('SELECT count(*)::integer AS count FROM voices WHERE organization_id = $1', [voice.organizationId]);
  if (count >= mostVoices) throw tooManyVoices(mostVoices);
  await manager.query(
    `INSERT INTO voices (${COLUMNS}, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT id FROM proxy_keys WHERE id = $10), $11)`,
    [
      voice.id,
      voice.organizationId,
      voice.name,
      voice.consent,
      voice.refText,
      voice.mediaType,
      voice.bytes,
      voice.sha256,
      new Date(voice.createdAtMs),
      voice.createdBy,
      toNameKey(voice.name),
    ],
  );
}

export function tooManyVoices(mostVoices: number): WeirError {
  return new WeirError('conflict', { message: `This organization has ${mostVoices} voices, which is as many as it may have. Delete one first.` });
}

function toVoice(row: VoiceRow): Voice {
  return {
    id: row.id,
    organizationId: parseId<OrganizationId>(row.organization_id),
    name: row.name,
    consent: row.consent,
    refText: row.ref_text,
    mediaType: row.media_type,
    bytes: row.bytes,
    sha256: row.sha256,
    createdAtMs: row.created_at.getTime(),
    createdBy: row.created_by === null ? null : parseId<ProxyKeyId>(row.created_by),
  };
}

function toTableError(error: unknown): unknown {
  if (error instanceof WeirError) return error;
  const code = error instanceof QueryFailedError ? toErrorCode(error.driverError) : toErrorCode(error);
  if (code === UNIQUE_VIOLATION) return new WeirError('conflict', { message: 'There is a voice of that name.', param: 'name' });
  // Deleted a moment ago; this process will hear of it.
  if (code === FOREIGN_KEY_VIOLATION) return new WeirError('invalid_api_key');
  if (code !== null && SQL_STATE.test(code) && !SERVER_AWAY.test(code)) return error;
  return databaseUnavailable(code ?? 'no connection', error);
}

function databaseUnavailable(detail: string, cause?: unknown): WeirError {
  return new WeirError('database_unavailable', { message: 'The voices cannot be looked up now.', retryAfterMs: RETRY_AFTER_MS, detail, cause });
}
