import { describeBudgetContract } from './meter-contract-budgets';
import { describeCallContract } from './meter-contract-calls';
import { describeWindowContract } from './meter-contract-windows';
import { type MeterHarness } from './meter-harness';

/** What every store guarantees; run by one spec for Redis and one for the in-process twin. */
export function describeMeterContract(name: string, getHarness: () => MeterHarness): void {
  describe(`meter contract: ${name}`, () => {
    describeWindowContract(getHarness);
    describeCallContract(getHarness);
    describeBudgetContract(getHarness);
  });
}
