/**
 * What a secret looks like wherever it stands: keys of Weir and of the known providers, bearer
 * tokens, signed tokens, encryption keys, and passwords in URLs and queries. The second line of
 * defence: fields that may hold a secret are never logged in the first place.
 */
const SECRETS = new RegExp(
  [
    String.raw`\b(?:sk|pk|rk|xai|gsk|nvapi|hf|r8)[-_][A-Za-z0-9_-]{8,}`,
    String.raw`\bAIza[A-Za-z0-9_-]{20,}`,
    String.raw`\b(?:ghp|gho|ghs|github_pat|glpat|xox[abprs])[-_][A-Za-z0-9_-]{10,}`,
    String.raw`\bey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*`,
    String.raw`\b[0-9a-fA-F]{64}\b`,
    String.raw`(?<=\b(?:bearer|basic)\s+)[^\s"',;]+`,
    String.raw`(?<=\b(?:api[-_]?key|key|token|secret|password|passwd|pwd|authorization|sig)["']?\s*[=:]\s*["']?)(?!\s)(?:(?:bearer|basic)\s+)?[^\s"'&,;)}\]]+`,
    String.raw`(?<=:\/\/[^\s/@:]*:)[^\s/@]+(?=@)`,
  ].join('|'),
  'gi',
);

/** The text with whatever looks like a secret replaced by a mark. */
export function scrubSecrets(text: string): string {
  return text.replace(SECRETS, '[secret]');
}
