/** Ways in which real servers write the same events. Each takes events that end in LF LF and rewrites them. */
export const dialects = {
  crlf: (events: readonly string[]): string[] => events.map((event) => event.replaceAll('\n', '\r\n')),
  cr: (events: readonly string[]): string[] => events.map((event) => event.replaceAll('\n', '\r')),
  withBom: (events: readonly string[]): string[] => events.map((event, index) => (index === 0 ? '\uFEFF' + event : event)),
  withoutSpace: (events: readonly string[]): string[] => events.map((event) => event.replace(/^data: /gm, 'data:')),
  withComments: (events: readonly string[]): string[] => events.flatMap((event) => [': keep-alive\n\n', event]),
  withEventFields: (events: readonly string[]): string[] =>
    events.map((event, index) => `id: ${index}\nretry: 1000\nevent: message\n${event}`),
  /** JSON over several `data:` lines, which a reader must join with LF. */
  multiLine: (events: readonly string[]): string[] =>
    events.map((event) => {
      const data = event.slice('data: '.length, -2);
      if (!data.startsWith('{')) return event;
      return JSON.stringify(JSON.parse(data), null, 1).replaceAll(/^/gm, 'data: ') + '\n\n';
    }),
  withoutLastBlankLine: (events: readonly string[]): string[] =>
    events.map((event, index) => (index === events.length - 1 ? event.slice(0, -1) : event)),
  doneWithTrailingSpace: (events: readonly string[]): string[] => events.map((event) => event.replace('[DONE]\n', '[DONE] \n')),
};

/** Ways to cut the bytes of a stream: borders fall anywhere, also inside a character. */
export const cutInto = {
  bytes: (events: readonly string[]): Buffer[] => cutInto.piecesOf(events, 1),
  piecesOf: (events: readonly string[], pieceBytes: number): Buffer[] => {
    const bytes = Buffer.from(events.join(''));
    return Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
      bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
    );
  },
  /** Pieces of 1 to `largestBytes`, the same for the same seed. */
  randomPieces: (events: readonly string[], seed: number, largestBytes = 64): Buffer[] => {
    const bytes = Buffer.from(events.join(''));
    const pieces: Buffer[] = [];
    let state = seed >>> 0;
    for (let start = 0; start < bytes.length; ) {
      // A linear congruential generator (Numerical Recipes): repeatable, and random enough for cuts.
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const end = start + 1 + ((state >>> 8) % largestBytes);
      pieces.push(bytes.subarray(start, end));
      start = end;
    }
    return pieces;
  },
};
