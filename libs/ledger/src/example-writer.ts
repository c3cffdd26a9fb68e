import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@weir/kernel';
import { Metrics } from '@weir/platform';
import { LedgerWriter, type LedgerWriterOptions } from './ledger-writer';

/** What was logged, as fields and message. */
export interface ExampleLog {
  readonly lines: [object, string][];
  readonly logger: LedgerWriterOptions['logger'];
}

export function createExampleLog(): ExampleLog {
  const lines: [object, string][] = [];
  const note = (fields: object, message: string): void => void lines.push([fields, message]);
  return { lines, logger: { info: note, warn: note, error: note } as unknown as LedgerWriterOptions['logger'] };
}

/** For specs: a data folder that goes when it is over. */
export function makeDataDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'weir-ledger-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** For specs: a writer that is silent and counts for itself, unless the spec says otherwise. */
export function openExampleWriter(options: Pick<LedgerWriterOptions, 'inserter' | 'dataDirectory'> & Partial<LedgerWriterOptions>): LedgerWriter {
  return LedgerWriter.open({ logger: createExampleLog().logger, metrics: new Metrics(), clock: systemClock, ...options });
}
