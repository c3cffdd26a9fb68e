import { TurnEnd } from './turn-end';

describe('TurnEnd', () => {
  const end = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('does nothing before the turn ends, then everything once and in order', async () => {
    const turnEnd = new TurnEnd();
    const done: string[] = [];
    turnEnd.push({ onTurnEnd: () => done.push('one') });
    turnEnd.push({ onTurnEnd: () => done.push('two') });
    await Promise.resolve();
    expect(done).toEqual([]);
    await end();
    expect(done).toEqual(['one', 'two']);
    await end();
    expect(done).toEqual(['one', 'two']);
  });

  it('takes what comes while a turn ends to the end of the next one', async () => {
    const turnEnd = new TurnEnd();
    const done: string[] = [];
    turnEnd.push({ onTurnEnd: () => turnEnd.push({ onTurnEnd: () => done.push('later') }) });
    await end();
    expect(done).toEqual([]);
    await end();
    expect(done).toEqual(['later']);
  });

  it('follows what was planned for the end of the turn before', async () => {
    const turnEnd = new TurnEnd();
    const done: string[] = [];
    setImmediate(() => done.push('the row is written'));
    turnEnd.push({ onTurnEnd: () => done.push('the answer goes out') });
    await end();
    expect(done).toEqual(['the row is written', 'the answer goes out']);
  });
});
