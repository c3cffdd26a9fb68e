/** What one look has found. */
export interface Finding {
  /** `wrong` must be mended, `warning` should be looked at. */
  readonly level: 'good' | 'warning' | 'wrong';
  readonly what: string;
  /** What to do; with every level but `good`. */
  readonly mend?: string;
}

export const good = (what: string): Finding => ({ level: 'good', what });
export const warning = (what: string, mend: string): Finding => ({ level: 'warning', what, mend });
export const wrong = (what: string, mend: string): Finding => ({ level: 'wrong', what, mend });
