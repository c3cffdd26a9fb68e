import { Foundation1763600000000 } from './1763600000000-foundation';

/** Every migration, oldest first. A migration that has run anywhere is never changed: add a new one. */
export const MIGRATIONS = [Foundation1763600000000];
