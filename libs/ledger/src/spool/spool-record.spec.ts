import { readSpoolStretch, toSpoolLine } from './spool-record';

const bodies = ['H{"request_id":"a","counters":[]}', 'R["a"]', 'I{"request_id":"ä 🐎"}', 'F{"request_id":"b"}'];
const segment = (): Buffer => Buffer.from(bodies.map(toSpoolLine).join(''), 'utf8');
const read = (bytes: Buffer): string[] => readSpoolStretch(bytes).records.map(({ kind, json }) => kind + json);

describe('readSpoolStretch', () => {
  it('reads records of every kind as they were written', () => {
    const bytes = segment();
    expect(read(bytes)).toEqual(bodies);
    expect(readSpoolStretch(bytes)).toMatchObject({ corruptAt: [], length: bytes.length });
  });

  it('never takes a record for whole in which any bit is flipped, and reads every other one', () => {
    const ends = bodies.map((_, index) => Buffer.byteLength(bodies.slice(0, index + 1).map(toSpoolLine).join('')));
    const { length } = segment();
    for (let bit = 0; bit < length * 8; bit++) {
      const bytes = segment();
      bytes[bit >>> 3] ^= 1 << (bit & 7);
      const hit = ends.findIndex((end) => bit >>> 3 < end);
      // Without its end, a line runs on into the next one.
      const hits = (bit >>> 3) + 1 === ends[hit] ? [hit, hit + 1] : [hit];
      const { records, corruptAt } = readSpoolStretch(Buffer.concat([bytes, Buffer.from('\n')]));
      expect(records.map(({ kind, json }) => kind + json)).toEqual(bodies.filter((_, index) => !hits.includes(index)));
      expect(corruptAt.length).toBeGreaterThan(0);
    }
  });

  it('reads whole lines only, wherever the bytes end', () => {
    const bytes = segment();
    for (let end = 0; end <= bytes.length; end++) {
      const { records, corruptAt, length } = readSpoolStretch(bytes.subarray(0, end));
      expect(corruptAt).toEqual([]);
      expect(bytes.subarray(0, length).toString()).toBe(records.map(({ kind, json }) => toSpoolLine(kind + json)).join(''));
    }
  });

  it('passes over bytes that were never a record, and what a test of the disk left', () => {
    const noise = Buffer.from([0, 255, 10, 10, 10, 200, 32, 10]);
    const { records, corruptAt } = readSpoolStretch(Buffer.concat([noise, segment()]));
    expect(records).toHaveLength(4);
    expect(corruptAt).toEqual([0, 5]);
  });

  it('takes no record of a kind that it does not know', () => {
    expect(readSpoolStretch(Buffer.from(toSpoolLine('X{}')))).toMatchObject({ records: [], corruptAt: [0] });
  });
});
