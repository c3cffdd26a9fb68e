import { type OrganizationId, parseId, type ProxyKeyId, WeirError } from '@weir/kernel';
import { deleteInBatches, toErrorCode } from '@weir/platform';
import { type DataSource, type EntityManager, QueryFailedError } from 'typeorm';
import { type ClaimedMesh, type Mesh, type MeshError, type MeshId, type MeshStatus } from './mesh-job';

export interface MeshTimes {
  /** How long a run owns its job without a heartbeat. */
  readonly leaseMs: number;
  /** How long a job may wait for its end. */
  readonly waitMs: number;
  /** How long a job is kept once it has ended. */
  readonly retentionMs: number;
}

/** A job that is to be made. */
export interface NewMesh {
  readonly id: MeshId;
  readonly organizationId: OrganizationId;
  readonly keyId: ProxyKeyId;
  readonly model: string;
  readonly request: Buffer;
}

/** The run that owns a job: nobody else can change it. */
export interface OwnedMesh {
  readonly id: MeshId;
  readonly runId: string;
}

interface MeshRow {
  readonly id: MeshId;
  readonly organization_id: string;
  readonly model: string;
  readonly status: MeshStatus;
  readonly progress: number;
  readonly run_id: string | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly bytes: number | null;
  readonly created_at: Date;
  readonly ended_at: Date | null;
  readonly expires_at: Date;
}

interface ClaimedRow {
  readonly id: MeshId;
  readonly organization_id: string;
  readonly key_id: string | null;
  readonly request: Buffer;
  readonly run_id: string;
  readonly attempts: number;
  readonly remaining_ms: number;
}

/** Runs of one job that ended without its end: their process died, or an upstream failed. */
export const MOST_RUNS = 3;
const FOREIGN_KEY_VIOLATION = '23503';
/** Classes of PostgreSQL's errors that are about the server and not the statement: connection, resources, intervention. */
const SERVER_AWAY = /^(?:08|53|57)/;
const SQL_STATE = /^[0-9A-Z]{5}$/;
const RETRY_AFTER_MS = 1_000;
const FULL_RETRY_AFTER_MS = 10_000;
// "weir", and what it locks: alerts are 6.
const SWEEP_LOCK = [0x77656972, 8] as const;
const SWEEP_BATCH = 500;
const COLUMNS = 'id, organization_id, model, status, progress, run_id, error_code, error_message, bytes, created_at, ended_at, expires_at';
/** One that is no longer kept is gone, though the sweep has not come by yet. */
const IS_KEPT = `(status IN ('queued', 'in_progress') OR expires_at > now())`;
const INTERVAL = (parameter: string): string => `now() + ${parameter}::double precision * interval '1 millisecond'`;

/**
 * The table of meshes. Its clock is PostgreSQL's. Each method ends within `timeoutMs`.
 * @throws WeirError database_unavailable from each method, when PostgreSQL does not answer
 */
export class MeshTable {
  private folder: string | null = null;

  constructor(
    private readonly dataSource: DataSource,
    readonly times: MeshTimes,
    private readonly timeoutMs = 5_000,
  ) {}

  /**
   * @param mostOpen how many unended jobs the organization may have
   * @throws WeirError rate_limit_exceeded when it has as many: nothing was inserted then
   */
  async insert(mesh: NewMesh, mostOpen: number): Promise<Mesh> {
    return this.bounded(() => this.dataSource.transaction((manager) => insertMesh(manager, mesh, mostOpen, this.times.waitMs)));
  }

  /** Newest first. */
  async list(organizationId: OrganizationId, limit: number, after: MeshId | null): Promise<Mesh[]> {
    const rows: MeshRow[] = await this.query(
      `SELECT ${COLUMNS} FROM mesh_jobs WHERE organization_id = $1 AND ($2::text IS NULL OR id < $2) AND ${IS_KEPT} ORDER BY id DESC LIMIT $3`,
      [organizationId, after, limit],
    );
    return rows.map(toMesh);
  }

  async find(organizationId: OrganizationId, id: MeshId): Promise<Mesh | null> {
    const [row]: MeshRow[] = await this.query(`SELECT ${COLUMNS} FROM mesh_jobs WHERE organization_id = $1 AND id = $2 AND ${IS_KEPT}`, [organizationId, id]);
    return row === undefined ? null : toMesh(row);
  }

  /** @returns what was deleted; null when there was none */
  async delete(organizationId: OrganizationId, id: MeshId): Promise<Mesh | null> {
    const [[row]]: [MeshRow[], number] = await this.query(
      `DELETE FROM mesh_jobs WHERE organization_id = $1 AND id = $2 AND ${IS_KEPT} RETURNING ${COLUMNS}`,
      [organizationId, id],
    );
    return row === undefined ? null : toMesh(row);
  }

  /**
   * Takes the job whose turn it is, also from a run whose lease is over: first those of the organization,
   * then of the model, that has least in progress, so that one that asks for many does not hold up the rest.
   */
  async claim(runId: string): Promise<ClaimedMesh | null> {
    const [[row]]: [ClaimedRow[], number] = await this.query(
      `UPDATE mesh_jobs SET status = 'in_progress', run_id = $1, attempts = attempts + 1, progress = 0, lease_until = ${INTERVAL('$2')}
       WHERE id = (
         SELECT due.id FROM mesh_jobs AS due
         WHERE ((due.status = 'queued' AND due.due_at <= now() AND due.expires_at > now()) OR (due.status = 'in_progress' AND due.lease_until <= now()))
           AND due.attempts < $3
         ORDER BY
           (SELECT count(*) FROM mesh_jobs AS open WHERE open.status = 'in_progress' AND open.lease_until > now() AND open.organization_id = due.organization_id),
           (SELECT count(*) FROM mesh_jobs AS open WHERE open.status = 'in_progress' AND open.lease_until > now() AND open.model = due.model),
           due.due_at, due.id
         LIMIT 1 FOR UPDATE OF due SKIP LOCKED)
       RETURNING id, organization_id, key_id, request, run_id, attempts, (extract(epoch FROM expires_at - now()) * 1000)::double precision AS remaining_ms`,
      [runId, this.times.leaseMs, MOST_RUNS],
    );
    return row === undefined ? null : toClaimed(row);
  }

  /** The heartbeat of runs. @returns those that still own their job */
  async renew(runs: readonly OwnedMesh[]): Promise<ReadonlySet<string>> {
    const [rows]: [{ run_id: string }[], number] = await this.query(
      `UPDATE mesh_jobs AS job SET lease_until = ${INTERVAL('$3')} FROM unnest($1::text[], $2::uuid[]) AS run (id, run_id)
       WHERE job.id = run.id AND job.run_id = run.run_id AND job.status = 'in_progress' RETURNING job.run_id`,
      [runs.map(({ id }) => id), runs.map(({ runId }) => runId), this.times.leaseMs],
    );
    return new Set(rows.map((row) => row.run_id));
  }

  /** @param progress per cent */
  async noteProgress({ id, runId }: OwnedMesh, progress: number): Promise<void> {
    await this.query(`UPDATE mesh_jobs SET progress = $3 WHERE id = $1 AND run_id = $2 AND status = 'in_progress'`, [id, runId, progress]);
  }

  /** @returns false when the run does not own the job any more */
  complete({ id, runId }: OwnedMesh, bytes: number): Promise<boolean> {
    return this.change(
      `UPDATE mesh_jobs SET status = 'completed', progress = 100, bytes = $3, request = NULL, error_code = NULL, error_message = NULL,
         lease_until = NULL, ended_at = now(), expires_at = ${INTERVAL('$4')}
       WHERE id = $1 AND run_id = $2 AND status = 'in_progress' RETURNING id`,
      [id, runId, bytes, this.times.retentionMs],
    );
  }

  /** @returns false when the run does not own the job any more */
  fail({ id, runId }: OwnedMesh, { code, message }: MeshError): Promise<boolean> {
    return this.change(
      `UPDATE mesh_jobs SET status = 'failed', request = NULL, error_code = $3, error_message = $4, lease_until = NULL, ended_at = now(), expires_at = ${INTERVAL('$5')}
       WHERE id = $1 AND run_id = $2 AND status = 'in_progress' RETURNING id`,
      [id, runId, code, message, this.times.retentionMs],
    );
  }

  /**
   * Puts a job back, to be run again.
   * @param counts whether the run was one of those that a job has
   * @returns false when the run does not own the job any more
   */
  putBack({ id, runId }: OwnedMesh, afterMs: number, counts: boolean, reason: MeshError | null): Promise<boolean> {
    return this.change(
      `UPDATE mesh_jobs SET status = 'queued', progress = 0, run_id = NULL, lease_until = NULL, due_at = ${INTERVAL('$3')},
         attempts = attempts - CASE WHEN $4::boolean THEN 0 ELSE 1 END, error_code = $5, error_message = $6
       WHERE id = $1 AND run_id = $2 AND status = 'in_progress' RETURNING id`,
      [id, runId, afterMs, counts, reason?.code ?? null, reason?.message ?? null],
    );
  }

  /** Fails jobs that have waited too long, and those whose processes died too often. */
  async failOverdue(late: MeshError, abandoned: MeshError): Promise<void> {
    await this.query(
      `UPDATE mesh_jobs SET status = 'failed', request = NULL, lease_until = NULL, ended_at = now(), expires_at = ${INTERVAL('$6')},
         error_code = CASE WHEN status = 'queued' THEN coalesce(error_code, $1) ELSE $3 END,
         error_message = CASE WHEN status = 'queued' THEN coalesce(error_message, $2) ELSE $4 END
       WHERE (status = 'queued' AND expires_at <= now()) OR (status = 'in_progress' AND lease_until <= now() AND attempts >= $5)`,
      [late.code, late.message, abandoned.code, abandoned.message, MOST_RUNS, this.times.retentionMs],
    );
  }

  /** The folder of this installation in any store of files: voices and meshes have the same. */
  async getFolder(): Promise<string> {
    if (this.folder !== null) return this.folder;
    const [row]: { id: string }[] = await this.query('SELECT id FROM voice_folder', []);
    if (row === undefined) throw new Error('the table voice_folder has lost its row; restore it from a backup');
    this.folder = row.id;
    return row.id;
  }

  /** Which of the runs own no job: neither one under way nor one that they completed. */
  async findUnknown(runs: readonly OwnedMesh[]): Promise<OwnedMesh[]> {
    const rows: { id: MeshId; run_id: string }[] = await this.query(
      `SELECT stored.id, stored.run_id FROM unnest($1::text[], $2::uuid[]) AS stored (id, run_id)
       WHERE NOT EXISTS (SELECT FROM mesh_jobs AS job WHERE job.id = stored.id AND job.run_id = stored.run_id AND job.status IN ('in_progress', 'completed'))`,
      [runs.map(({ id }) => id), runs.map(({ runId }) => runId)],
    );
    return rows.map((row) => ({ id: row.id, runId: row.run_id }));
  }

  /** Forgets what is no longer kept, batch by batch; of several processes one does it. @returns how many */
  sweep(): Promise<number> {
    return deleteInBatches(this.dataSource, {
      lock: SWEEP_LOCK,
      sql: `DELETE FROM mesh_jobs WHERE ctid IN (
        SELECT ctid FROM mesh_jobs WHERE status IN ('completed', 'failed') AND expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      parameters: [SWEEP_BATCH],
      batchRows: SWEEP_BATCH,
    });
  }

  private async change(sql: string, parameters: unknown[]): Promise<boolean> {
    const [rows]: [unknown[], number] = await this.query(sql, parameters);
    return rows.length > 0;
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

async function insertMesh(manager: EntityManager, mesh: NewMesh, mostOpen: number, waitMs: number): Promise<Mesh> {
  // One after another in an organization: two that count at the same time would both find room.
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`weir/meshes/${mesh.organizationId}`]);
  const [{ count }]: { count: number }[] = await manager.query(
    `SELECT count(*)::integer AS count FROM mesh_jobs WHERE organization_id = $1 AND status IN ('queued', 'in_progress')`,
    [mesh.organizationId],
  );
  if (count >= mostOpen) {
    const message = `This organization has ${count} meshes that are not done, which is as many as it may have. Wait for one, or delete one.`;
    throw new WeirError('rate_limit_exceeded', { message, retryAfterMs: FULL_RETRY_AFTER_MS });
  }
  const [row]: MeshRow[] = await manager.query(
    `INSERT INTO mesh_jobs (id, organization_id, key_id, model, request, expires_at) VALUES ($1, $2, $3, $4, $5, ${INTERVAL('$6')}) RETURNING ${COLUMNS}`,
    [mesh.id, mesh.organizationId, mesh.keyId, mesh.model, mesh.request, waitMs],
  );
  return toMesh(row);
}

function toMesh(row: MeshRow): Mesh {
  const { id, status, run_id: runId, bytes, error_code: code, error_message: message } = row;
  return {
    id,
    organizationId: parseId<OrganizationId>(row.organization_id),
    model: row.model,
    status,
    progress: row.progress,
    error: status !== 'failed' || code === null || message === null ? null : { code, message },
    file: status !== 'completed' || runId === null || bytes === null ? null : { id, runId, bytes },
    createdAtMs: row.created_at.getTime(),
    endedAtMs: row.ended_at?.getTime() ?? null,
    expiresAtMs: row.expires_at.getTime(),
  };
}

function toClaimed(row: ClaimedRow): ClaimedMesh {
  return {
    id: row.id,
    organizationId: parseId<OrganizationId>(row.organization_id),
    keyId: row.key_id === null ? null : parseId<ProxyKeyId>(row.key_id),
    request: row.request,
    runId: row.run_id,
    attempts: row.attempts,
    remainingMs: row.remaining_ms,
  };
}

function toTableError(error: unknown): unknown {
  if (error instanceof WeirError) return error;
  const code = error instanceof QueryFailedError ? toErrorCode(error.driverError) : toErrorCode(error);
  // Deleted a moment ago; this process will hear of it.
  if (code === FOREIGN_KEY_VIOLATION) return new WeirError('invalid_api_key');
  if (code !== null && SQL_STATE.test(code) && !SERVER_AWAY.test(code)) return error;
  return databaseUnavailable(code ?? 'no connection', error);
}

function databaseUnavailable(detail: string, cause?: unknown): WeirError {
  return new WeirError('database_unavailable', { message: 'The meshes cannot be looked up now.', retryAfterMs: RETRY_AFTER_MS, detail, cause });
}
