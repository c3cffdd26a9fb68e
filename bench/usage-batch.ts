import { randomUUID } from 'node:crypto';

interface Key {
  readonly organization_id: string;
  readonly project_id: string;
  readonly key_id: string;
  readonly model: string;
}

/** Rows as the spool hands them on, of keys that are used now: the first ones the most. */
export function toBatch(keys: readonly Key[], rows: number, atMs: number): string[] {
  return Array.from({ length: rows }, () =>
    JSON.stringify({
      ...keys[Math.floor(keys.length * Math.random() ** 2)],
      request_id: randomUUID(),
      attempt: 1,
      at_ms: atMs,
      operation: 'chat',
      status: 'succeeded',
      input_tokens: 500,
      cached_input_tokens: 100,
      output_tokens: 200,
      units: { reasoning_tokens: 50 },
      estimated: false,
      cost_nanos: 195_000,
      duration_ms: 900,
    }),
  );
}
