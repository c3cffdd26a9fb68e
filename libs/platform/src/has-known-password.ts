/** Passwords that stand in guides, and so in everybody's list. */
const KNOWN_PASSWORDS: ReadonlySet<string> = new Set(['weir', 'postgres', 'redis', 'password', 'passwort', 'secret', 'changeme', 'change-me', 'admin', 'root', 'test', '123456', '12345678', 'example', 'foobared']);

/** Whether the password in the address of a server is one that everybody tries first. */
export function hasKnownPassword(address: string): boolean {
  const { password } = new URL(address);
  // No listed password needs an escape, and one that is broken is not listed either.
  return KNOWN_PASSWORDS.has(password.toLowerCase());
}
