/**
 * What a secret looks like wherever it stands: keys of Weir and of the known providers, bearer
 * tokens, signed tokens, encryption keys, and passwords in URLs and queries. The second line of
 * defence: fields that may hold a secret are never logged in the first place.
 *
 * The text may be a caller's, which a provider quotes in its error: the time that it takes must grow with
 * its length and no faster. So what is looked at behind a place (`?<=`) has an end.
 */
const SECRETS = new RegExp(
  [
    String.raw`\b(?:sk|pk|rk|xai|gsk|nvapi|hf|r8)[-_][A-Za-z0-9_-]{8,}`,
    String.raw`\bAIza[A-Za-z0-9_-]{20,}`,
    String.raw`\b(?:ghp|gho|ghs|github_pat|glpat|xox[abprs])[-_][A-Za-z0-9_-]{10,}`,
    // From the beginning of a run alone: from each "-ey" of it anew, a long one would take for ever.
    String.raw`(?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*`,
    String.raw`\b[0-9a-fA-F]{64}\b`,
    String.raw`(?<=\b(?:bearer|basic)\s{1,20})[^\s"',;]+`,
    String.raw`(?<=\b(?:api[-_]?key|key|token|secret|password|passwd|pwd|authorization|sig)["']?\s{0,20}[=:]\s{0,20}["']?)(?!\s)(?:(?:bearer|basic)\s+)?[^\s"'&,;)}\]]+`,
    String.raw`(?<=:\/\/[^\s/@:]*:)[^\s/@]+(?=@)`,
  ].join('|'),
  'gi',
);

/** The text with whatever looks like a secret replaced by a mark. */
export function scrubSecrets(text: string): string {
  return text.replace(SECRETS, '[secret]');
}
