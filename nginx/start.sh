#!/bin/sh
# Nginx in a container: writes the configuration, looks every minute whether there is another
# certificate, and becomes Nginx. Certbot runs beside it and only has to leave its files.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
certificate=${WEIR_CERTIFICATE:-/etc/letsencrypt/live/${WEIR_SERVER_NAME:-}/fullchain.pem}
seconds=${WEIR_CERTIFICATE_CHECK_SECONDS:-60}

fingerprint() {
    cksum "$certificate" 2>/dev/null || echo none
}

"$here/configure.sh"

(
    known=$(fingerprint)
    # $$ is Nginx by then; without it there is nothing to look after.
    while sleep "$seconds" && kill -0 $$ 2>/dev/null; do
        now=$(fingerprint)
        if [ "$now" != "$known" ] && "$here/reload.sh"; then known=$now; fi
    done
) &

exec ${WEIR_NGINX:-nginx} -g 'daemon off;'
