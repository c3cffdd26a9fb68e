// Weir under PM2, in cluster mode: `pm2 start deploy/pm2/ecosystem.config.cjs`, and `pm2 reload weir` to
// restart one process after the other. Settings come from .env in the folder of the code. Several
// processes need REDIS_URL and DATABASE_URL; PM2 supervises them, so WEIR_WORKERS stays at 1.
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '..', '..');

module.exports = {
  apps: [
    {
      name: 'weir',
      cwd: root,
      script: join('dist', 'apps', 'gateway', 'src', 'main.js'),
      exec_mode: 'cluster',
      instances: 2,
      node_args: '--min-semi-space-size=64 --max-semi-space-size=64 --no-parallel-scavenge',
      env: { NODE_ENV: 'production', WEIR_WORKERS: '1', METRICS_PORT: 9090 },
      // Each process has metrics of its own: 9090, 9091, … Prometheus scrapes all of them.
      increment_var: 'METRICS_PORT',
      // A process takes the old one's place once it serves.
      wait_ready: true,
      listen_timeout: 60000,
      // Longer than SHUTDOWN_TIMEOUT_MS: open streams may finish.
      kill_timeout: 310000,
      max_restarts: 10,
      exp_backoff_restart_delay: 1000,
      // One that leaks is replaced, by a drain.
      max_memory_restart: '1G',
      merge_logs: true,
    },
  ],
};
