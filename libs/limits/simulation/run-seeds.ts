import { Simulation } from './simulation';

/** So many runs go on at once: one turn of the event loop is a step of each. */
const RUNS_AT_ONCE = 64;

export interface SeedFailure {
  readonly seed: number;
  readonly error: unknown;
}

export interface SeedsResult {
  readonly runs: number;
  readonly steps: number;
  readonly failures: readonly SeedFailure[];
}

/** Runs seeds from `first` on, until all are done or so many have failed. */
export async function runSeeds(first: number, count: number, largestFailures = 1): Promise<SeedsResult> {
  const failures: SeedFailure[] = [];
  let next = first;
  let runs = 0;
  let steps = 0;
  const runOne = async (): Promise<void> => {
    while (next < first + count && failures.length < largestFailures) {
      const seed = next++;
      const simulation = new Simulation(seed);
      await finish(simulation).catch((error: unknown) => failures.push({ seed, error }));
      runs++;
      steps += simulation.steps;
    }
  };
  await Promise.all(Array.from({ length: RUNS_AT_ONCE }, runOne));
  return { runs, steps, failures };
}

/** One step a turn of the event loop: by then all that the step before has set off in promises is done. */
export function finish(simulation: Simulation): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      try {
        if (simulation.step()) setImmediate(turn);
        else resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error('thrown', { cause: error }));
      }
    };
    setImmediate(turn);
  });
}
