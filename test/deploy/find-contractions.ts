/** What changes a table so that the code of the version before, which does not know of it, writes and reads as before. */
const EXPANDS: readonly RegExp[] = [
  // Nullable, or with a value for whoever does not name it.
  /^ADD COLUMN (?!.*\b(?:UNIQUE|PRIMARY KEY|REFERENCES)\b)(?:(?!.*\bNOT NULL\b)|(?=.*\b(?:DEFAULT|GENERATED)\b))/i,
  /^ALTER COLUMN \S+ (?:DROP NOT NULL|SET STATISTICS|SET STORAGE|SET COMPRESSION)\b/i,
];

/** Statements that no other code can feel, whatever they name. */
const HARMLESS: readonly RegExp[] = [/^CREATE TABLE\b/i, /^CREATE INDEX\b/i, /^CREATE FUNCTION\b/i, /^CREATE TYPE\b/i, /^ANALYZE\b/i, /^COMMENT ON\b/i, /^SELECT\b/i];

/** Statements that are harmless to a table which the same migration has made: nobody else knows of it. */
const NAMES_TABLE: readonly RegExp[] = [
  /^ALTER TABLE (?:ONLY )?([\w."]+)/i,
  /^CREATE UNIQUE INDEX .*?\bON ([\w."]+)/i,
  /^CREATE TRIGGER .*?\bON ([\w."]+)/i,
  /^INSERT INTO ([\w."]+)/i,
  /^LOCK TABLE ([\w."]+)/i,
];

const LONGEST = 90;

/**
 * What of a migration's SQL the version before it might not survive: a closed list says what it does survive, and
 * everything else is answered, in the order in which it stands, for a person to judge.
 */
export function findContractions(sql: readonly string[]): string[] {
  const statements = sql.flatMap(toStatements);
  const made = new Set(statements.flatMap((statement) => /^CREATE TABLE (?:IF NOT EXISTS )?([\w."]+)/i.exec(statement)?.[1] ?? []));
  return statements.flatMap((statement) => judge(statement, made)).map((statement) => statement.slice(0, LONGEST).trim());
}

function judge(statement: string, made: ReadonlySet<string>): string[] {
  if (HARMLESS.some((pattern) => pattern.test(statement))) return [];
  const table = NAMES_TABLE.map((pattern) => pattern.exec(statement)?.[1]).find((name) => name !== undefined);
  if (table !== undefined && made.has(table)) return [];
  const [, altered, actions] = /^ALTER TABLE ((?:ONLY )?\S+) (.*)$/i.exec(statement) ?? [];
  if (altered === undefined) return [statement];
  const contracting = splitOutsideParentheses(actions).filter((action) => !EXPANDS.some((pattern) => pattern.test(action)));
  return contracting.map((action) => `ALTER TABLE ${altered} ${action}`);
}

/** Comments, strings and the bodies of functions: what stands in them is not looked at. */
const NOT_SQL = /--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'/g;

/** One statement each, with single blanks. */
function toStatements(sql: string): string[] {
  const plain = sql.replace(NOT_SQL, (text) => (/^(?:--|\/\*)/.test(text) ? ' ' : "''"));
  return plain
    .split(';')
    .map((statement) => statement.replace(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '');
}

function splitOutsideParentheses(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}
