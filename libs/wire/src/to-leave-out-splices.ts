import { JsonScanner } from './json-scanner';
import { type Splice } from './splice-members';

const COMMA = 0x2c;
const LENIENT = { strictKeys: false };
// Scans are synchronous, so one scanner serves every request of the process.
const scanner = new JsonScanner();

/** The splices that take members out of a body, in order: each with one of its commas. Without any, none. */
export function toLeaveOutSplices(body: Buffer, names: readonly string[]): Splice[] {
  if (!scanner.scan(body, 0, body.length, LENIENT)) return [];
  const members = names.map((name) => scanner.findMember(name)).filter((member) => member !== -1);
  members.sort((one, other) => one - other);
  const splices: Splice[] = [];
  /** So many of the first members go: behind them the comma goes with each, before all others. */
  let leading = 0;
  for (const member of members) {
    const end = scanner.memberValueEnd(member);
    if (member > leading) {
      splices.push({ start: scanner.memberValueEnd(member - 1), end, text: '' });
      continue;
    }
    leading += 1;
    const isLast = leading === scanner.memberCount;
    const start = splices.at(-1)?.end ?? scanner.valueStart + 1;
    splices.push({ start, end: isLast ? end : body.indexOf(COMMA, end) + 1, text: '' });
  }
  return splices;
}
