const PREFIX = 'throttled for ';
const WITHOUT_MODEL = 'throttled';

/**
 * The reason of status `cooling` as people read it. It carries the model to the other processes,
 * because a key's row has one status, and throttling belongs to a key and a model.
 */
export const CoolingReason = {
  of: (upstreamModel: string): string => (upstreamModel === '' ? WITHOUT_MODEL : PREFIX + upstreamModel),

  modelOf: (reason: string | null): string | null =>
    reason !== null && reason.startsWith(PREFIX) && reason.length > PREFIX.length ? reason.slice(PREFIX.length) : null,
};
