import { toBudget, toPlan } from '../test/meter-bench';
import { type Grant } from './meter-store';
import { SettledCharges } from './settled-charges';

const plan = toPlan(toBudget('remembered', 1_000));

function toGrant(requestId: string): Grant {
  return { plan, requestId, tokens: 0, buckets: [0], heldNanos: 100 };
}

describe('SettledCharges', () => {
  it('remembers a charge until all of its rows are in the ledger', () => {
    const charges = new SettledCharges();
    charges.keep(toGrant('a'), 100, 2);
    charges.land('a', false);
    expect(charges.size).toBe(1);
    charges.land('a', false);
    expect(charges.size).toBe(0);
  });

  it('counts the rows that were there before the call was settled', () => {
    const charges = new SettledCharges();
    charges.land('retried', true);
    charges.keep(toGrant('retried'), 100, 2);
    expect(charges.size).toBe(1);
    charges.land('retried', false);
    expect(charges.size).toBe(0);
    charges.land('early', true);
    charges.keep(toGrant('early'), 100, 1);
    expect(charges.size).toBe(0);
  });
});
