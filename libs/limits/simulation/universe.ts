import { type Grant } from '../src/meter-store';
import { type Scenario } from './scenario';
import { type SimulatedLedger } from './simulated-ledger';
import { type SimulatedRedis } from './simulated-redis';
import { type SimulatedSpool } from './simulated-spool';
import { type Truth } from './truth';
import { type World } from './world';

/** Everything that the processes of one run share. */
export interface Universe {
  readonly world: World;
  readonly scenario: Scenario;
  readonly redis: SimulatedRedis;
  readonly ledger: SimulatedLedger;
  readonly truth: Truth;
  /** Of all processes, also of those that are no more. */
  readonly spools: Set<SimulatedSpool>;
  readonly admittedByRedis: Set<string>;
  readonly onAdmittedByRedis: (grant: Grant) => void;
  /** Whose row is the last of its call. */
  readonly lastAttempts: Set<string>;
  readonly troubleRate: () => number;
}
