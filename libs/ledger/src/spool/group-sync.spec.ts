import { GroupSync } from './group-sync';

describe('GroupSync', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function createSync(failure: Error | null = null) {
    const seen = { running: 0, most: 0, began: 0, synced: 0, failures: [] as unknown[], closed: 0 };
    let finish: (() => void)[] = [];
    const file = {
      isRetired: false,
      isCarrySynced: false,
      sync: async () => {
        seen.began++;
        seen.most = Math.max(seen.most, ++seen.running);
        await new Promise<void>((resolve) => finish.push(resolve));
        seen.running--;
        if (failure !== null) throw failure;
      },
      close: () => void seen.closed++,
    };
    const sync = new GroupSync({ folder: '/', delayMs: 50, onSynced: () => seen.synced++, onFailure: (error) => seen.failures.push(error) });
    const finishAll = async () => {
      for (const resolve of finish) resolve();
      finish = [];
      await jest.advanceTimersByTimeAsync(0);
    };
    return { sync, file, seen, finishAll };
  }

  it('begins at most its delay after a write, once for all writes until then', async () => {
    const { sync, file, seen, finishAll } = createSync();
    for (let write = 0; write < 100; write++) {
      sync.note(file);
      await jest.advanceTimersByTimeAsync(0.4);
    }
    expect(seen.began).toBe(0);
    await jest.advanceTimersByTimeAsync(50);
    expect(seen.began).toBe(1);
    await finishAll();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(seen).toMatchObject({ began: 1, synced: 1 });
  });

  it('has at most one under way; what was written meanwhile is next, without another delay', async () => {
    const { sync, file, seen, finishAll } = createSync();
    sync.note(file);
    await jest.advanceTimersByTimeAsync(50);
    sync.note(file);
    await jest.advanceTimersByTimeAsync(500);
    expect(seen).toMatchObject({ began: 1, most: 1 });
    await finishAll();
    expect(seen).toMatchObject({ began: 2, most: 1 });
    await finishAll();
    expect(seen.synced).toBe(2);
  });

  it('closes a file that is written no more, but only when what was written last is on the disk', async () => {
    const { sync, file, seen, finishAll } = createSync();
    sync.note(file);
    await jest.advanceTimersByTimeAsync(50);
    file.isRetired = true;
    sync.note(file);
    await finishAll();
    expect(seen.closed).toBe(0);
    await jest.advanceTimersByTimeAsync(50);
    await finishAll();
    expect(seen).toMatchObject({ began: 2, closed: 1 });
  });

  it('says that the disk fails', async () => {
    const failure = new Error('EIO');
    const { sync, file, seen, finishAll } = createSync(failure);
    sync.note(file);
    await jest.advanceTimersByTimeAsync(50);
    await finishAll();
    expect(seen).toMatchObject({ synced: 0, failures: [failure] });
  });
});
