#!/bin/sh
# Writes Nginx's configuration anew, checks it and has Nginx take it, without dropping anybody. Certbot
# calls it after each renewal (--deploy-hook). A configuration that Nginx refuses is taken back.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
output=${1:-${WEIR_NGINX_CONF:-/etc/nginx/conf.d/weir.conf}}
before="$output.before"

if [ -e "$output" ]; then cp -p "$output" "$before"; fi
if ! "$here/configure.sh" "$output"; then
    # Nothing was written: what Nginx has stays in use.
    rm -f "$before"
    exit 1
fi
# WEIR_NGINX: how Nginx is called, where that needs arguments, such as "nginx -c /elsewhere/nginx.conf".
# shellcheck disable=SC2086 # the words are meant to be split
if ! ${WEIR_NGINX:-nginx} -t -q; then
    if [ -e "$before" ]; then mv "$before" "$output"; else rm -f "$output"; fi
    echo 'reload.sh: Nginx refuses the new configuration; the old one stays in use' >&2
    exit 1
fi
rm -f "$before"
# shellcheck disable=SC2086
${WEIR_NGINX:-nginx} -s reload
