#!/bin/sh
# Takes a node out of Nginx, or puts it back, so that it can be restarted and nobody notices:
#
#   node.sh out 127.0.0.1:8080     no new request goes there; what is open stays
#   node.sh in  127.0.0.1:8080
#
# It writes WEIR_NODES_OUT into the file that WEIR_NGINX_ENV names (/etc/weir/nginx.env), and reloads.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
file=${WEIR_NGINX_ENV:-/etc/weir/nginx.env}
usage='usage: node.sh out|in <host:port>'

[ $# -eq 2 ] || { echo "$usage" >&2; exit 2; }
action=$1
node=$2
case $node in
    '' | *[!A-Za-z0-9._:-]*) echo "$usage" >&2; exit 2 ;;
esac

old=''
if [ -e "$file" ]; then old=$(sed -n 's/^WEIR_NODES_OUT=//p' "$file" | tr -d '"'); fi
new=''
for one in $old; do
    if [ "$one" != "$node" ]; then new="$new $one"; fi
done
case $action in
    out) new="$new $node" ;;
    in) ;;
    *) echo "$usage" >&2; exit 2 ;;
esac

before=$(mktemp "$file.XXXXXX")
trap 'rm -f "$before"' EXIT
if [ -e "$file" ]; then cat "$file" > "$before"; fi
{ grep -v '^WEIR_NODES_OUT=' "$before" || true; echo "WEIR_NODES_OUT=\"${new# }\""; } > "$file"
if ! "$here/reload.sh"; then
    cat "$before" > "$file"
    exit 1
fi
# A reload is asked for, and not yet done: until the old workers of Nginx have stopped accepting, some
# requests still go to the node.
if [ "$action" = out ]; then sleep "${WEIR_SETTLE_SECONDS:-2}"; fi
