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
    while (done.length === 0) await end();
    expect(done).toEqual(['one', 'two']);
    for (let turn = 0; turn < 5; turn++) await end();
    expect(done).toEqual(['one', 'two']);
  });

  it('takes what comes while it works to another time', async () => {
    const turnEnd = new TurnEnd();
    const done: string[] = [];
    turnEnd.push({
      onTurnEnd: () => {
        done.push('first');
        turnEnd.push({ onTurnEnd: () => done.push('later') });
      },
    });
    while (done.length === 0) await end();
    expect(done).toEqual(['first']);
    while (done.length === 1) await end();
    expect(done).toEqual(['first', 'later']);
  });
});
