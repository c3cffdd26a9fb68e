import { finish, runSeeds } from './run-seeds';
import { Simulation } from './simulation';

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 10_000);
const TRACE_TAIL = 60;

/** The same run once more, with everything that happened in it. */
async function trace(seed: number): Promise<string> {
  const simulation = new Simulation(seed, true);
  const outcome = await finish(simulation).then(
    () => 'held',
    (error: unknown) => String(error),
  );
  const lines = simulation.world.trace ?? [];
  const shown = process.env.SIMULATION_SEED === undefined ? lines.slice(-TRACE_TAIL) : lines;
  return [`seed ${seed}: ${JSON.stringify(simulation.scenario)}`, ...shown, outcome].join('\n');
}

describe('the meter under faults', () => {
  const given = process.env.SIMULATION_SEED;

  if (given !== undefined) {
    it(`replays seed ${given}`, async () => {
      process.stdout.write(`${await trace(Number(given))}\n`);
    });
    return;
  }

  it(
    `overspends no budget, loses no row and leaves nothing behind, in ${SEEDS} seeds`,
    async () => {
      const { runs, failures } = await runSeeds(Number(process.env.SIMULATION_FIRST ?? 1), SEEDS);
      if (failures.length > 0) throw new Error(`replay it with SIMULATION_SEED=${failures[0].seed}\n${await trace(failures[0].seed)}`);
      expect(runs).toBe(SEEDS);
    },
    900_000,
  );
});
