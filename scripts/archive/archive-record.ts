import { z } from 'zod';

/**
 * What stands in a backup, a line each: first `backup`, then tables with their rows, then files with
 * their bytes, at last `end`, which says how much there was.
 */
export type ArchiveRecord = z.output<typeof RECORD>;

const NAME = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);

const RECORD = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('backup'), at: z.string(), migrations: z.array(z.string()) }),
  z.object({
    kind: z.literal('table'),
    name: NAME,
    columns: z.array(NAME).min(1),
    /** Of a table in parts: each with what goes into it. */
    partitions: z.array(z.object({ name: NAME, bound: z.string().regex(/^FOR VALUES FROM \('[\d :+-]+'\) TO \('[\d :+-]+'\)$/) })),
  }),
  /** A row as PostgreSQL itself writes it as JSON: text, so that no number passes through JavaScript's. */
  z.object({ kind: z.literal('rows'), rows: z.array(z.string()) }),
  z.object({ kind: z.literal('sequence'), name: NAME, value: z.string().regex(/^\d{1,19}$/), isCalled: z.boolean() }),
  z.object({ kind: z.literal('file'), group: z.enum(['voices', 'secrets', 'included']), path: z.string(), bytes: z.int().min(0) }),
  z.object({ kind: z.literal('bytes'), base64: z.string() }),
  z.object({ kind: z.literal('end'), rows: z.int().min(0), files: z.int().min(0) }),
]);

/** @returns null for a line that is none of these */
export function parseRecord(line: string): ArchiveRecord | null {
  try {
    return RECORD.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
