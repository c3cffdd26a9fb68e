import { describeError } from '@weir/platform';

/**
 * What ends the process when nobody caught an error. Node itself would print the error with all that hangs
 * on it: a SyntaxError of JSON.parse quotes the prompt, an error of the database the row.
 * @param exit ends the process; what the log still holds is written on the way
 */
export function endByUncaught(error: unknown, tell: (line: string) => void, exit: (code: number) => void): void {
  tell(`weir: ended by an error that nobody caught: ${JSON.stringify(describeError(error))}\n`);
  exit(FAILED);
}

const FAILED = 1;
