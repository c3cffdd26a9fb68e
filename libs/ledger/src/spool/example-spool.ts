import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { type UsageRecord } from '../usage-record';
import { toUsageRowText } from '../usage-row';
import { type HoldRecord, toHoldBody, toHoldText } from './open-calls';
import { toSpoolLine } from './spool-record';

export const holdLine = (hold: HoldRecord, chargedNanos = 0): string => toSpoolLine(toHoldBody(toHoldText(hold), chargedNanos));
export const releaseLine = (...requestIds: string[]): string => toSpoolLine(`R${JSON.stringify(requestIds)}`);
export const intentLine = (record: UsageRecord): string => toSpoolLine(`I${toUsageRowText(record)}`);
export const finalLine = (record: UsageRecord): string => toSpoolLine(`F${toUsageRowText(record)}`);

/** For specs: what a process leaves behind that was killed. @returns the folder. */
export function makeOrphan(dataDirectory: string, ...segments: (string | Buffer)[]): string {
  const path = join(dataDirectory, 'spool', randomUUID());
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'lock'), '');
  for (const [index, content] of segments.entries()) writeFileSync(join(path, `00000${index + 1}.log`), content);
  return path;
}
