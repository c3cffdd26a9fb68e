export const POSTGRES_USER = 'weir';

/** Command-line settings: sized for a laptop, closed to the network, silent about data. */
export function serverSettings(port: number, durable: boolean): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: durable ? '100' : '300',
    shared_buffers: '64MB',
    max_wal_size: '256MB',
    min_wal_size: '32MB',
    wal_level: 'minimal',
    max_wal_senders: '0',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Statements and row values could carry what no log may hold.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_parameter_max_length: '0',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The server sees none of our environment, which holds the providers' keys. */
export function toServerEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { PATH: process.env.PATH ?? '', LANG: 'C', LC_ALL: 'C' };
  // Windows programs cannot open a socket without it.
  if (process.env.SYSTEMROOT !== undefined) environment.SYSTEMROOT = process.env.SYSTEMROOT;
  return environment;
}
