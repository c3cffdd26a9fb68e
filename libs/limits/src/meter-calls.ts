import { type Nanos } from '@weir/kernel';
import { readAdmission } from './admission-reply';
import { toAdmitHead, toControlText } from './plan-wire';
import {
  type Admission,
  type BudgetLimit,
  type BudgetState,
  type Demand,
  type Grant,
  type HoldList,
  type KeysWithin,
  type LimitPlan,
  type Settlement,
  type Unseeded,
  type WindowTake,
} from './meter-store';
import { type ReplyReader } from './reply-reader';
import { ScriptCall } from './script-call';
import { toBucketMs } from './sliding-window';

/** What the script says first of an operation that failed by itself. */
const FAILED = -1;

export class AdmissionCall extends ScriptCall<Admission | Unseeded> {
  override readonly isAdmission: boolean;

  constructor(
    private readonly plan: LimitPlan,
    private readonly demand: Demand,
    private readonly take: boolean,
  ) {
    super(plan.organizationId, plan.wire.keys, toAdmissionText(plan, demand, take));
    this.isAdmission = take;
  }

  protected read(reply: ReplyReader): Admission | Unseeded | null {
    return readAdmission(this.plan, this.demand, this.take, reply);
  }
}

function toAdmissionText({ wire }: LimitPlan, demand: Demand, take: boolean): string {
  if (wire.takeOneText !== null && take && demand.requests === 1) return wire.takeOneText;
  const { requests, tokens, leastNanos, mostNanos, requestId } = demand;
  return toAdmitHead(take, requests, tokens, leastNanos, mostNanos, requestId) + wire.text;
}

export class SettleCall extends ScriptCall<readonly BudgetState[] | Unseeded> {
  override readonly canWait = true;
  override readonly keysWithin: KeysWithin | null;

  constructor(
    private readonly grant: Grant,
    settlement: Settlement,
  ) {
    super(grant.plan.organizationId, grant.plan.wire.grantKeys, toSettleText(grant, settlement));
    this.keysWithin = grant.plan.wire.grantKeysWithin;
  }

  protected read(reply: ReplyReader): readonly BudgetState[] | Unseeded | null {
    if (reply.nextNumber() === FAILED) return null;
    const states: BudgetState[] = [];
    const unseeded: number[] = [];
    this.grant.plan.limits.forEach((limit, index) => {
      if (limit.kind !== 'budget') return;
      const state = readBudgetState(reply);
      if (state === null) unseeded.push(index);
      else states.push(state);
    });
    return unseeded.length === 0 ? states : { unseeded };
  }
}

function toSettleText({ plan, requestId, tokens, buckets }: Grant, settlement: Settlement): string {
  const { tokenIndexes, grantText } = plan.wire;
  let text = `settle ${requestId} ${settlement.tokens} ${tokens} ${settlement.nanos} ${tokenIndexes.length}`;
  for (const index of tokenIndexes) text += ` ${buckets[index]}`;
  return text + grantText;
}

function readBudgetState(reply: ReplyReader): BudgetState | null {
  const spentNanos = reply.nextNumber();
  const heldNanos = reply.nextNumber();
  return spentNanos < 0 ? null : { spentNanos, heldNanos };
}

export class ReadBudgetsCall extends ScriptCall<readonly (BudgetState | null)[]> {
  constructor(private readonly plan: LimitPlan) {
    super(plan.organizationId, plan.wire.grantKeys, `read${plan.wire.grantText}`);
  }

  protected read(reply: ReplyReader): readonly (BudgetState | null)[] | null {
    if (reply.nextNumber() === FAILED) return null;
    return this.plan.limits.filter((limit) => limit.kind === 'budget').map(() => readBudgetState(reply));
  }
}

export class ExtendCall extends ScriptCall<Nanos> {
  constructor(
    private readonly grant: Grant,
    nanos: Nanos,
  ) {
    super(grant.plan.organizationId, grant.plan.wire.grantKeys, `extend ${grant.requestId} ${nanos}${grant.plan.wire.grantText}`);
  }

  protected read(reply: ReplyReader): Nanos | null {
    if (reply.nextNumber() === FAILED) return null;
    const granted = reply.nextNumber();
    this.grant.heldNanos += granted;
    return granted;
  }
}

/** What is done, and says nothing more. */
export class DoneCall extends ScriptCall<true> {
  protected read(reply: ReplyReader): true | null {
    return reply.nextNumber() === FAILED ? null : true;
  }
}

export function toRenewCall({ plan, requestId }: Grant): DoneCall {
  return new DoneCall(plan.organizationId, plan.wire.grantKeys, `renew ${requestId}${plan.wire.grantText}`);
}

export function toRestoreCall({ plan, requestId, heldNanos }: Grant): DoneCall {
  return new DoneCall(plan.organizationId, plan.wire.grantKeys, `restore ${requestId} ${heldNanos}${plan.wire.grantText}`);
}

export function toSeedWindowCall(organizationId: string, key: string, windowMs: number, takes: readonly WindowTake[]): DoneCall {
  let text = `window ${2 * takes.length}`;
  for (const { ageMs, amount } of takes) text += ` ${Math.round(ageMs)} ${amount}`;
  return new DoneCall(organizationId, [key], `${text} 1 0 ${toBucketMs(windowMs)}`);
}

export class SeedCall extends ScriptCall<boolean> {
  constructor(organizationId: string, counter: string, budget: BudgetLimit, spentNanos: Nanos, raise: boolean, mark: string) {
    const head = raise ? `raise ${spentNanos}` : `seed ${spentNanos} ${mark === '' ? '-' : mark}`;
    super(organizationId, [counter, `${counter}:holds`], head + toControlText(budget));
  }

  protected read(reply: ReplyReader): boolean | null {
    return reply.nextNumber() === FAILED ? null : reply.nextNumber() === 1;
  }
}

export class ListHoldsCall extends ScriptCall<HoldList> {
  constructor(organizationId: string, counter: string, newMark: string) {
    super(organizationId, [counter, `${counter}:holds`], `list ${newMark} 4 0 0`);
  }

  protected read(reply: ReplyReader): HoldList | null {
    if (reply.nextNumber() === FAILED) return null;
    const mark = reply.nextText();
    const requestIds = Array.from({ length: reply.nextNumber() }, () => reply.nextText());
    return { mark, requestIds };
  }
}
