#!/usr/bin/env bash
#
# Keeps an SSH tunnel to a remote GPU service and says whether it is up: docs/port-forward.md
#
#   scripts/port_forward.sh start    0: up · 1: not up (it says why)
#   scripts/port_forward.sh stop     0: it does not run any more
#   scripts/port_forward.sh status   0: up · 1: it runs and is down · 3: it does not run
#                                    2, of each: wrong usage or settings
#
# Settings, from the environment:
#   PORT_FORWARD_SSH            where to connect: user@host, or a name of ~/.ssh/config. Required to start.
#   PORT_FORWARD_SSH_PORT       its port, if not the usual or configured one
#   PORT_FORWARD_IDENTITY       the private key's file; without it, what ssh has (agent, ~/.ssh/config)
#   PORT_FORWARD_KNOWN_HOSTS    the file with the host's key; without it, ~/.ssh/known_hosts
#   PORT_FORWARD_REMOTE_HOST    where the service is, seen from there (127.0.0.1)
#   PORT_FORWARD_REMOTE_PORT    and its port (PORT_VLM, or 6050)
#   PORT_FORWARD_LOCAL_HOST     where the tunnel listens here (127.0.0.1)
#   PORT_FORWARD_LOCAL_PORT     and its port (PORT_VLM, or 6050)
#   PORT_FORWARD_CHECK          how the service is asked: http (any answer below 500) or tcp
#   PORT_FORWARD_CHECK_PATH     what is asked for (/health)
#   PORT_FORWARD_NAME           tells several tunnels apart (vlm)
#   PORT_FORWARD_STATE_DIR      the pid file and the log (WEIR_DATA_DIR/tunnels, .weir/tunnels)
#   PORT_FORWARD_START_SECONDS  how long start waits for it to be up (15)
#   PORT_FORWARD_RETRY_SECONDS  the longest pause between two tries (30)
#
# Works with bash 3.2 and OpenSSH, as macOS and Debian have them.

set -u
umask 077

readonly USAGE='usage: port_forward.sh start|stop|status'
readonly WRONG_USAGE=2
readonly NOT_RUNNING=3
readonly LOG_BYTES=1048576
readonly STOP_SECONDS=10

fail() {
  printf 'port_forward: %s\n' "$1" >&2
  exit "${2:-1}"
}

# --- Settings ---

need_number() { # variable, value, least, most
  case $2 in '' | *[!0-9]* | ??????*) fail "$1 must be a whole number from $3 to $4" "$WRONG_USAGE" ;; esac
  if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then fail "$1 must be a whole number from $3 to $4" "$WRONG_USAGE"; fi
}

# A name that begins with a dash would be an option of ssh.
need_host() { # variable, value
  case $2 in
    '') fail "$1 is missing" "$WRONG_USAGE" ;;
    -* | *[!A-Za-z0-9.:_@%-]*) fail "$1 must be a host name or an address" "$WRONG_USAGE" ;;
  esac
}

# ssh puts the environment's values in place of such text, and it cannot be told not to.
need_path() { # variable, value
  case $2 in *\$\{* | *'"'* | *$'\n'*) fail "$1 must be a path without \${, quotation marks and line breaks" "$WRONG_USAGE" ;; esac
}

read_settings() {
  ssh_host=${PORT_FORWARD_SSH:-}
  ssh_port=${PORT_FORWARD_SSH_PORT:-}
  identity=${PORT_FORWARD_IDENTITY:-}
  known_hosts=${PORT_FORWARD_KNOWN_HOSTS:-}
  remote_host=${PORT_FORWARD_REMOTE_HOST:-127.0.0.1}
  remote_port=${PORT_FORWARD_REMOTE_PORT:-${PORT_VLM:-6050}}
  local_host=${PORT_FORWARD_LOCAL_HOST:-127.0.0.1}
  local_port=${PORT_FORWARD_LOCAL_PORT:-${PORT_VLM:-6050}}
  check=${PORT_FORWARD_CHECK:-http}
  check_path=${PORT_FORWARD_CHECK_PATH:-/health}
  start_seconds=${PORT_FORWARD_START_SECONDS:-15}
  retry_seconds=${PORT_FORWARD_RETRY_SECONDS:-30}
  name=${PORT_FORWARD_NAME:-vlm}
  state_dir=${PORT_FORWARD_STATE_DIR:-${WEIR_DATA_DIR:-.weir}/tunnels}
  case $name in '' | *[!A-Za-z0-9_-]*) fail 'PORT_FORWARD_NAME may hold letters, digits, _ and -' "$WRONG_USAGE" ;; esac
  pid_file=$state_dir/$name.pid
  ssh_file=$state_dir/$name.ssh
  up_file=$state_dir/$name.up
  settings_file=$state_dir/$name.settings
  reason_file=$state_dir/$name.reason
  log_file=$state_dir/$name.log
  lock_dir=$state_dir/$name.lock
}

check_settings() {
  need_host PORT_FORWARD_SSH "$ssh_host"
  [ -z "$ssh_port" ] || need_number PORT_FORWARD_SSH_PORT "$ssh_port" 1 65535
  need_host PORT_FORWARD_REMOTE_HOST "$remote_host"
  need_host PORT_FORWARD_LOCAL_HOST "$local_host"
  need_number PORT_FORWARD_REMOTE_PORT "$remote_port" 1 65535
  need_number PORT_FORWARD_LOCAL_PORT "$local_port" 1 65535
  need_number PORT_FORWARD_START_SECONDS "$start_seconds" 1 600
  need_number PORT_FORWARD_RETRY_SECONDS "$retry_seconds" 1 3600
  need_path PORT_FORWARD_IDENTITY "$identity"
  need_path PORT_FORWARD_KNOWN_HOSTS "$known_hosts"
  case $check in http | tcp) ;; *) fail 'PORT_FORWARD_CHECK must be http or tcp' "$WRONG_USAGE" ;; esac
  case $check_path in
    /*) ;;
    *) fail 'PORT_FORWARD_CHECK_PATH must begin with /' "$WRONG_USAGE" ;;
  esac
  case $check_path in *[!A-Za-z0-9._~/?=\&%-]*) fail 'PORT_FORWARD_CHECK_PATH must be a path of a URL' "$WRONG_USAGE" ;; esac
  if [ -n "$identity" ] && [ ! -r "$identity" ]; then fail "PORT_FORWARD_IDENTITY: cannot read $identity" "$WRONG_USAGE"; fi
}

# --- Whose a process is ---

command_of() { # pid
  if [ -r "/proc/$1/cmdline" ]; then tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null; else ps -ww -p "$1" -o args= 2>/dev/null; fi
}

is_alive() { # pid, text that its command line holds
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  kill -0 "$1" 2>/dev/null || return 1
  case $(command_of "$1") in *"$2"*) return 0 ;; esac
  return 1
}

line_of() { # file, number
  [ -r "$1" ] || return 0
  sed -n "${2}p" "$1" 2>/dev/null
}

# The number alone proves nothing: numbers are given again. The token stands on the keeper's command
# line and nowhere else.
find_keeper() {
  keeper=$(line_of "$pid_file" 1)
  local token
  token=$(line_of "$pid_file" 2)
  if [ -n "$token" ] && is_alive "$keeper" "_keep $token"; then return 0; fi
  keeper=
  return 1
}

# ssh calls its keeper by number when the tunnel stands, so the number is on its command line.
find_ssh() {
  ssh_pid=$(line_of "$ssh_file" 1)
  local owner
  owner=$(line_of "$pid_file" 1)
  if [ -n "$owner" ] && is_alive "$ssh_pid" "LocalCommand=kill -USR1 $owner "; then return 0; fi
  ssh_pid=
  return 1
}

# --- Whether it is up ---

accepts() {
  (exec 3<>"/dev/tcp/$local_host/$local_port") 2>/dev/null
}

# The tunnel's own end accepts whatever happens behind it: only an answer tells that somebody is there.
answers() {
  local line=''
  if [ "$check" = tcp ]; then
    (
      exec 3<>"/dev/tcp/$local_host/$local_port" || exit 1
      # Where nobody is, the tunnel closes at once. A read that runs out of time says that it is open.
      IFS= read -r -t 2 -n 1 <&3
      status=$?
      [ "$status" -eq 0 ] || [ "$status" -gt 128 ]
    ) 2>/dev/null
    return
  fi
  line=$(
    exec 2>/dev/null
    exec 3<>"/dev/tcp/$local_host/$local_port" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$check_path" "$local_host" "$local_port" >&3
    IFS= read -r -t 5 first <&3 && printf '%s' "$first"
  )
  case $line in 'HTTP/1.'[01]' '[1234][0-9][0-9]*) return 0 ;; esac
  return 1
}

# Sets `why` to what is wrong; empty when it is up.
examine() {
  why=
  find_keeper || { why='it does not run'; return 1; }
  if ! find_ssh || [ "$(line_of "$up_file" 1)" != "$ssh_pid" ]; then
    why="not connected$(reason)"
  elif ! accepts; then
    why="nothing listens on $local_host:$local_port"
  elif ! answers; then
    why="connected, but nothing answers behind it"
  fi
  [ -z "$why" ]
}

# The last that ssh said: its words hold no secret.
reason() {
  local text
  [ -r "$reason_file" ] || return 0
  text=$(tr -d '\r' <"$reason_file" | grep -v '^$' | tail -n 1 | tr -cd '[:print:]' | cut -c 1-200)
  [ -z "$text" ] || printf ': %s' "$text"
}

describe() {
  printf '%s:%s → %s, %s:%s' "$local_host" "$local_port" "$ssh_host" "$remote_host" "$remote_port"
}

# The tunnel that runs may have been started with other settings than stand in the environment now.
save_settings() {
  printf '%s\n' "$ssh_host" "$local_host" "$local_port" "$remote_host" "$remote_port" "$check" "$check_path" >"$settings_file"
}

load_settings() {
  [ -r "$settings_file" ] || return 0
  ssh_host=$(line_of "$settings_file" 1)
  local_host=$(line_of "$settings_file" 2)
  local_port=$(line_of "$settings_file" 3)
  remote_host=$(line_of "$settings_file" 4)
  remote_port=$(line_of "$settings_file" 5)
  check=$(line_of "$settings_file" 6)
  check_path=$(line_of "$settings_file" 7)
}

# --- One at a time ---

lock() {
  local tries=0 holder
  until mkdir "$lock_dir" 2>/dev/null; do
    holder=$(line_of "$lock_dir/pid" 1)
    # Whoever held it was killed: the next one cleans up.
    if [ -n "$holder" ] && ! is_alive "$holder" port_forward; then
      rm -f "$lock_dir/pid"
      rmdir "$lock_dir" 2>/dev/null
      continue
    fi
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "another port_forward.sh is at work; if none is, delete $lock_dir"
    sleep 0.1
  done
  printf '%s\n' "$$" >"$lock_dir/pid"
  trap unlock EXIT
  trap 'exit 1' INT TERM HUP
}

unlock() {
  rm -f "$lock_dir/pid"
  rmdir "$lock_dir" 2>/dev/null
}

# --- What it is asked for ---

start() {
  check_settings
  command -v ssh >/dev/null || fail 'there is no ssh'
  mkdir -p -- "$state_dir" || fail "cannot make $state_dir"
  lock
  if find_keeper; then
    load_settings
    if examine; then
      printf '%s: runs already, and is up (%s, pid %s)\n' "$name" "$(describe)" "$keeper"
      exit 0
    fi
    printf '%s: runs already, and is down: %s (%s, pid %s)\n' "$name" "$why" "$(describe)" "$keeper"
    exit 1
  fi
  end_orphan
  forget
  if accepts; then fail "another process listens on $local_host:$local_port"; fi
  launch
  await_up
}

launch() {
  local token script
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  script=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/$(basename -- "${BASH_SOURCE[0]}")
  if [ -f "$log_file" ] && [ "$(wc -c <"$log_file")" -gt "$LOG_BYTES" ]; then mv -f "$log_file" "$log_file.1"; fi
  save_settings
  # A group of its own: the Ctrl-C of a terminal does not reach it.
  set -m
  nohup "$BASH" "$script" _keep "$token" </dev/null >>"$log_file" 2>&1 &
  launched=$!
  set +m
  printf '%s\n%s\n' "$launched" "$token" >"$pid_file"
}

await_up() {
  local deadline=$((SECONDS + start_seconds))
  while [ "$SECONDS" -lt "$deadline" ]; do
    if examine; then
      printf '%s: up (%s, pid %s)\n' "$name" "$(describe)" "$keeper"
      exit 0
    fi
    if ! kill -0 "$launched" 2>/dev/null; then
      why="it gave up$(reason)"
      forget
      fail "$name: $why"
    fi
    sleep 0.2
  done
  fail "$name: not up: $why; it keeps trying"
}

stop() {
  [ -d "$state_dir" ] || { printf '%s: does not run\n' "$name"; exit 0; }
  lock
  if ! find_keeper; then
    end_orphan
    forget
    printf '%s: does not run\n' "$name"
    exit 0
  fi
  local deadline=$((SECONDS + STOP_SECONDS)) pid=$keeper
  kill -TERM "$pid" 2>/dev/null
  while find_keeper; do
    if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$pid" 2>/dev/null; fi
    sleep 0.1
  done
  end_orphan
  forget
  printf '%s: stopped\n' "$name"
}

# An ssh whose keeper was killed still holds the port.
end_orphan() {
  local deadline=$((SECONDS + STOP_SECONDS)) pid
  while find_ssh; do
    pid=$ssh_pid
    if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$pid" 2>/dev/null; else kill -TERM "$pid" 2>/dev/null; fi
    sleep 0.1
  done
}

forget() {
  rm -f "$pid_file" "$ssh_file" "$up_file" "$settings_file" "$reason_file"
}

status() {
  load_settings
  if examine; then
    printf '%s: up (%s, pid %s)\n' "$name" "$(describe)" "$keeper"
    exit 0
  fi
  if [ -z "$keeper" ]; then
    printf '%s: does not run%s\n' "$name" "$(reason)"
    exit "$NOT_RUNNING"
  fi
  printf '%s: down: %s (%s, pid %s)\n' "$name" "$why" "$(describe)" "$keeper"
  exit 1
}

# --- The keeper: a process in the background that starts ssh again and again ---

say() {
  printf '%s %s\n' "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" "$1"
}

end_keeper() {
  trap - TERM INT
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
  say 'stopped'
  exit 0
}

# ssh calls this when it is let in and the port is bound.
mark_connected() {
  printf '%s\n' "$child" >"$up_file"
  was_up=1
  connected_at=$SECONDS
  say 'connected'
}

# In ssh's files a percent sign begins a word that is replaced.
no_percent() {
  printf '%s' "$1" | sed 's/%/%%/g'
}

bracketed() {
  case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac
}

keep() {
  check_settings
  child=
  was_up=
  local pause=1 arguments
  trap end_keeper TERM INT
  trap '' HUP
  trap mark_connected USR1
  arguments=(
    -N -T -n
    -o BatchMode=yes
    -o StrictHostKeyChecking=yes
    -o ExitOnForwardFailure=yes
    -o ConnectTimeout=10
    -o ServerAliveInterval=10
    -o ServerAliveCountMax=3
    -o ControlMaster=no
    -o ControlPath=none
    -o ForwardAgent=no
    -o PermitLocalCommand=yes
    -o "LocalCommand=kill -USR1 $$ "
    -L "$(bracketed "$local_host"):$local_port:$(bracketed "$remote_host"):$remote_port"
  )
  if [ -n "$ssh_port" ]; then arguments+=(-p "$ssh_port"); fi
  if [ -n "$identity" ]; then arguments+=(-o IdentitiesOnly=yes -o "IdentityFile=\"$(no_percent "$identity")\""); fi
  if [ -n "$known_hosts" ]; then arguments+=(-o "UserKnownHostsFile=\"$(no_percent "$known_hosts")\""); fi
  while :; do
    connected_at=
    ssh "${arguments[@]}" -- "$ssh_host" 2>"$reason_file" &
    child=$!
    printf '%s\n' "$child" >"$ssh_file"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    rm -f "$ssh_file" "$up_file"
    say "ssh ended$(reason)"
    # What waiting does not mend is not tried again and again: a host may lock out whoever does.
    if [ -z "$was_up" ] && grep -Eq 'Permission denied|Host key verification failed|REMOTE HOST IDENTIFICATION|Bad owner or permissions|Too many authentication failures|bad permissions' "$reason_file"; then
      say 'gave up'
      exit 1
    fi
    # A connection that held begins anew with a short pause.
    if [ -n "$connected_at" ] && [ $((SECONDS - connected_at)) -ge 10 ]; then pause=1; fi
    sleep "$pause" &
    child=$!
    wait "$child"
    pause=$((pause * 2))
    if [ "$pause" -gt "$retry_seconds" ]; then pause=$retry_seconds; fi
  done
}

read_settings
[ $# -ge 1 ] || fail "$USAGE" "$WRONG_USAGE"
case $1 in
  start | stop | status) [ $# -eq 1 ] || fail "$USAGE" "$WRONG_USAGE"; "$1" ;;
  _keep) keep ;;
  *) fail "$USAGE" "$WRONG_USAGE" ;;
esac
