/** What stands in a table; the table chains what shares a place. */
export interface Tabled {
  readonly id: string;
  next: this | null;
}

/** A power of two, for the mask. With a hundred thousand in the table a place has some twenty-five. */
const PLACES = 4096;
const HASHED_CHARACTERS = 6;

/**
 * Finds what is open by its id, in no order. For what comes and goes with each request: a Map that
 * shrinks and grows leaves its old tables behind, and with them what was in them, for the next full
 * collection; here nothing is left of what was removed, and nothing is made for what is added. Only the
 * end of an id is looked at: it must differ, as the random end of a UUID does.
 */
export class IdTable<Item extends Tabled> {
  readonly #places = new Array<Item | null>(PLACES).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(id: string): Item | null {
    let item = this.#places[toPlace(id)];
    while (item !== null && item.id !== id) item = item.next;
    return item;
  }

  /** It must not be in the table, nor another one of its id. */
  add(item: Item): void {
    const place = toPlace(item.id);
    item.next = this.#places[place];
    this.#places[place] = item;
    this.#size++;
  }

  /** It must be in the table. */
  remove(item: Item): void {
    const place = toPlace(item.id);
    const first = this.#places[place];
    if (first === item) this.#places[place] = item.next;
    else {
      let before = first;
      while (before !== null && before.next !== item) before = before.next;
      if (before === null) return;
      before.next = item.next;
    }
    item.next = null;
    this.#size--;
  }

  *values(): Generator<Item> {
    for (const first of this.#places) for (let item = first; item !== null; item = item.next) yield item;
  }
}

function toPlace(id: string): number {
  let hash = 0;
  for (let index = Math.max(0, id.length - HASHED_CHARACTERS); index < id.length; index++) hash = (Math.imul(hash, 31) + id.charCodeAt(index)) | 0;
  return (hash ^ (hash >>> 12)) & (PLACES - 1);
}
