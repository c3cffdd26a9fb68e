/** Says in one line which variable is wrong and how, and never shows the value of a secret one. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigurationError';
  }
}
