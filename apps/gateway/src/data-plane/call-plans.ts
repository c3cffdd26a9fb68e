import { type Caller } from '@weir/access';
import { NO_LIMITS } from '@weir/kernel';
import { type LimitPlan, toLimitPlan } from '@weir/limits';
import { type Configuration } from '@weir/platform';
import { type ModelRoute } from '@weir/upstreams';

/** The limits of a caller's calls to a model, and where its budgets are counted. */
export interface CallPlan {
  readonly plan: LimitPlan;
  /** The keys of its budgets' counters; the same list each time. Empty without budgets. */
  readonly counters: readonly string[];
}

interface KnownPlan extends CallPlan {
  readonly route: ModelRoute | null;
  readonly validFromMs: number;
}

/** Names come from callers where a route ends in `*`: beyond so many, a caller's are forgotten and made again. */
const MOST_MODELS = 200;

/** Makes the plan of a caller and a model once, and keeps it for as long as caller, model and period stay the same. */
export class CallPlans {
  readonly #byCaller = new WeakMap<Caller, Map<string, KnownPlan>>();

  constructor(private readonly configuration: Pick<Configuration, 'defaultRpm' | 'defaultRpd'>) {}

  /**
   * @param route null for what is called under no model's name: then no model's limits apply
   * @param atMs when the request began: it is charged to the budgets' spans of then, and so is its row
   */
  get(caller: Caller, route: ModelRoute | null, model: string, atMs: number): CallPlan {
    let byModel = this.#byCaller.get(caller);
    if (byModel === undefined) this.#byCaller.set(caller, (byModel = new Map<string, KnownPlan>()));
    const known = byModel.get(model);
    if (known !== undefined && known.route === route && atMs >= known.validFromMs && atMs < known.plan.validUntilMs) return known;
    const made = this.#make(caller, route, model, atMs);
    // A request that began before midnight must not put yesterday's plan in the place of today's.
    if (known !== undefined && made.validFromMs < known.validFromMs && known.route === route) return made;
    if (byModel.size >= MOST_MODELS) byModel.clear();
    byModel.set(model, made);
    return made;
  }

  #make(caller: Caller, route: ModelRoute | null, model: string, atMs: number): KnownPlan {
    const { key, project, organization } = caller;
    const plan = toLimitPlan({
      organizationId: caller.organizationId,
      keyId: caller.keyId,
      projectId: caller.projectId,
      modelId: route?.id ?? null,
      model,
      key: key.limits,
      project: project?.limits ?? null,
      organization: organization.limits,
      modelLimits: route?.limits ?? NO_LIMITS,
      budgets: { key: key.budgets, project: project?.budgets ?? [], organization: organization.budgets },
      defaultRpm: this.configuration.defaultRpm,
      defaultRpd: this.configuration.defaultRpd,
      nowMs: atMs,
    });
    const counters = plan.keys.filter((_, index) => plan.limits[index].kind === 'budget');
    const validFromMs = Math.max(0, ...plan.limits.map((limit) => (limit.kind === 'budget' ? limit.span.fromMs : 0)));
    return { plan, counters, route, validFromMs };
  }
}
