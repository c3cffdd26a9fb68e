import { toExampleRecord } from '../example-record';
import { type UsageRecord } from '../usage-record';
import { toUsageRowText } from '../usage-row';
import { finalLine, intentLine } from './example-spool';
import { SpoolLines } from './spool-lines';
import { toSpoolLine } from './spool-record';

const records: readonly UsageRecord[] = [
  toExampleRecord(),
  toExampleRecord({ model: 'name with ä, 🐎 and "quotes"\n', upstreamModel: '\ud83d half', errorCode: 'fault:ü' }),
  toExampleRecord({ model: 'ä'.repeat(512), upstreamModel: '🐎'.repeat(256), rate: JSON.stringify({ note: '€'.repeat(100_000) }) }),
  toExampleRecord({ costNanos: null, rate: null, httpStatus: null, firstByteMs: null, projectId: null, upstreamKeyId: null }),
];

describe('SpoolLines', () => {
  it('are byte for byte the lines of their records, however many', () => {
    const lines = new SpoolLines();
    for (let round = 0; round < 3; round++) {
      let expected = '';
      for (let index = 0; index < 500; index++) {
        const record = records[index % 7 === 0 ? index % records.length : 0];
        lines.add('R["released"]');
        lines.addIntent(record);
        const { start, end } = lines.addFinal(record);
        expect(lines.bytes.toString('utf8', start, end)).toBe(Buffer.from(toUsageRowText(record)).toString());
        expected += toSpoolLine('R["released"]') + intentLine(record) + finalLine(record);
      }
      expect(lines.bytes.equals(Buffer.from(expected))).toBe(true);
      lines.clear();
      expect(lines.isEmpty).toBe(true);
    }
  });

  it('tell where a row stands that was a text before', () => {
    const lines = new SpoolLines();
    for (const record of records) {
      const text = Buffer.from(toUsageRowText(record)).toString();
      const { start, end } = lines.addFinalText(text);
      expect(lines.bytes.toString('utf8', start, end)).toBe(text);
    }
    expect(lines.bytes.toString()).toBe(records.map(finalLine).join(''));
  });
});
