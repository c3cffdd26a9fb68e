const PREFIXES = ['/v1/audio/voices', '/openai/v1/audio/voices'] as const;

/** What a path of the voices' routes means: all of them, or one by its id or name. */
export interface VoicePath {
  /** Null is the collection. */
  readonly voice: string | null;
}

/** @param path without the query. Null for any other path. Never throws. */
export function matchVoicePath(path: string): VoicePath | null {
  for (const prefix of PREFIXES) {
    if (path === prefix) return { voice: null };
    if (path.startsWith(`${prefix}/`)) return toVoice(path.slice(prefix.length + 1));
  }
  return null;
}

function toVoice(segment: string): VoicePath | null {
  if (segment === '' || segment.includes('/')) return null;
  try {
    return { voice: decodeURIComponent(segment) };
  } catch {
    return null;
  }
}
