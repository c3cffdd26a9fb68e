/** The base path without the `/v1` that a base URL may or may not end in: such services have routes on both sides of it. */
export function toRootPath(basePath: string): string {
  return basePath.endsWith('/v1') ? basePath.slice(0, -3) : basePath;
}
