#!/bin/sh
# Writes Nginx's configuration for Weir from the templates beside this script and the environment.
# Changes nothing else: `nginx -t && nginx -s reload` comes after it (reload.sh does all three).
#
#   configure.sh [output]        the output is WEIR_NGINX_CONF where none is named
#
# Variables, each also as NAME=value in the file that WEIR_NGINX_ENV names (the environment wins):
#   WEIR_SERVER_NAME       the name that callers use, such as weir.example.com; needed with TLS
#   WEIR_NODES             the data planes, host:port, with spaces between      127.0.0.1:8080
#   WEIR_NODES_OUT         those of them that get no new request now            (none)
#   WEIR_TLS               on, or off for plain HTTP on an inner network        on
#   WEIR_HTTP_PORT         plain HTTP                                           80; 8080 with WEIR_TLS=off
#   WEIR_HTTPS_PORT        HTTPS                                                443
#   WEIR_CERTIFICATE       /etc/letsencrypt/live/<server name>/fullchain.pem
#   WEIR_CERTIFICATE_KEY   /etc/letsencrypt/live/<server name>/privkey.pem
#   WEIR_WEBROOT           where certbot puts its answers                       /var/www/weir
#   WEIR_MAX_BODY          a little more than MAX_UPLOAD_BYTES                  51m
#   WEIR_STREAM_TIMEOUT    a little more than STREAM_TIMEOUT_MS                 310s
#   WEIR_HEADER_TIMEOUT    for a request's head to arrive                       15s
#   WEIR_BODY_TIMEOUT      between two pieces of a body                         60s
#   WEIR_ACCESS_LOG        without queries and keys                             /var/log/nginx/weir.log
#   WEIR_ERROR_LOG         /var/log/nginx/weir-error.log
#   WEIR_NGINX_CONF        /etc/nginx/conf.d/weir.conf
#   WEIR_NGINX_ENV         /etc/weir/nginx.env
#   WEIR_IPV6              on, off, or auto: as the machine has it              auto
#
# Without a certificate, only certbot's question is answered, on plain HTTP, until there is one.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

fail() {
    echo "configure.sh: $1" >&2
    exit 1
}

# A line of the file counts only where the environment says nothing.
read_file() {
    [ -r "$1" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            WEIR_*=*) ;;
            *) continue ;;
        esac
        name=${line%%=*}
        value=${line#*=}
        case $name in
            *[!A-Z0-9_]*) fail "$1: $name is no name of a variable" ;;
        esac
        value=${value#\"}
        value=${value%\"}
        if [ -z "$(printenv "$name" || true)" ]; then export "$name=$value"; fi
    done < "$1"
}

# What is written into the configuration is a word: nothing in it can begin another directive.
check() {
    case $2 in
        '') fail "$1 is missing" ;;
        *[!A-Za-z0-9._:/@-]*) fail "$1 holds a character that has no place there" ;;
    esac
}

is_in() {
    for one in $2; do
        if [ "$one" = "$1" ]; then return 0; fi
    done
    return 1
}

read_file "${WEIR_NGINX_ENV:-/etc/weir/nginx.env}"

tls=${WEIR_TLS:-on}
case $tls in
    on | off) ;;
    *) fail 'WEIR_TLS must be on or off' ;;
esac
if [ "$tls" = on ]; then
    server_name=${WEIR_SERVER_NAME:-}
    [ -n "$server_name" ] || fail 'WEIR_SERVER_NAME is missing: the name that callers use, such as weir.example.com'
    http_port=${WEIR_HTTP_PORT:-80}
else
    server_name=${WEIR_SERVER_NAME:-_}
    http_port=${WEIR_HTTP_PORT:-8080}
fi
https_port=${WEIR_HTTPS_PORT:-443}
certificate=${WEIR_CERTIFICATE:-/etc/letsencrypt/live/$server_name/fullchain.pem}
certificate_key=${WEIR_CERTIFICATE_KEY:-/etc/letsencrypt/live/$server_name/privkey.pem}
webroot=${WEIR_WEBROOT:-/var/www/weir}
max_body=${WEIR_MAX_BODY:-51m}
stream_timeout=${WEIR_STREAM_TIMEOUT:-310s}
header_timeout=${WEIR_HEADER_TIMEOUT:-15s}
body_timeout=${WEIR_BODY_TIMEOUT:-60s}
access_log=${WEIR_ACCESS_LOG:-/var/log/nginx/weir.log}
error_log=${WEIR_ERROR_LOG:-/var/log/nginx/weir-error.log}
nodes=${WEIR_NODES:-127.0.0.1:8080}
nodes_out=${WEIR_NODES_OUT:-}
output=${1:-${WEIR_NGINX_CONF:-/etc/nginx/conf.d/weir.conf}}

check WEIR_SERVER_NAME "$server_name"
check WEIR_HTTP_PORT "$http_port"
check WEIR_HTTPS_PORT "$https_port"
check WEIR_CERTIFICATE "$certificate"
check WEIR_CERTIFICATE_KEY "$certificate_key"
check WEIR_WEBROOT "$webroot"
check WEIR_MAX_BODY "$max_body"
check WEIR_STREAM_TIMEOUT "$stream_timeout"
check WEIR_HEADER_TIMEOUT "$header_timeout"
check WEIR_BODY_TIMEOUT "$body_timeout"
check WEIR_ACCESS_LOG "$access_log"
check WEIR_ERROR_LOG "$error_log"

servers=''
in_use=0
for node in $nodes; do
    check WEIR_NODES "$node"
    case $node in
        *:[0-9]*) ;;
        *) fail "WEIR_NODES must be host:port with spaces between: $node is not" ;;
    esac
    if is_in "$node" "$nodes_out"; then
        servers="$servers    server $node down;\\
"
    else
        in_use=$((in_use + 1))
        servers="$servers    server $node max_fails=3 fail_timeout=30s;\\
"
    fi
done
for node in $nodes_out; do
    is_in "$node" "$nodes" || fail "WEIR_NODES_OUT: $node is not in WEIR_NODES"
done
[ "$in_use" -gt 0 ] || fail 'no node would be left: WEIR_NODES_OUT names all of WEIR_NODES'

case ${WEIR_IPV6:-auto} in
    on) ipv6='' ;;
    off) ipv6='#' ;;
    auto) if [ -s /proc/net/if_inet6 ]; then ipv6=''; else ipv6='#'; fi ;;
    *) fail 'WEIR_IPV6 must be on, off or auto' ;;
esac

# HTTP/2 is a parameter of "listen" before Nginx 1.25.1, and a directive of its own since.
version=$(nginx -v 2>&1 | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p')
major=$(echo "${version:-0.0.0}" | cut -d. -f1)
minor=$(echo "${version:-0.0.0}" | cut -d. -f2)
patch=$(echo "${version:-0.0.0}" | cut -d. -f3)
if [ $((major * 1000000 + minor * 1000 + patch)) -ge 1025001 ]; then
    http2_parameter=''
    http2_directive='http2 on;'
else
    http2_parameter=' http2'
    http2_directive=''
fi

if [ "$tls" = off ]; then
    variant=http
elif [ -s "$certificate" ] && [ -s "$certificate_key" ]; then
    variant=https
else
    variant=challenge
fi

# Nginx would say the same of a pair that is none in three lines, and nothing at all of another name.
check_certificate() {
    command -v openssl > /dev/null || return 0
    of_certificate=$(openssl x509 -in "$certificate" -noout -pubkey 2> /dev/null || true)
    of_key=$(openssl pkey -in "$certificate_key" -passin pass: -pubout 2> /dev/null || true)
    if [ -n "$of_certificate" ] && [ -n "$of_key" ] && [ "$of_certificate" != "$of_key" ]; then
        fail "$certificate and $certificate_key do not belong together: put a pair there, or name one in WEIR_CERTIFICATE and WEIR_CERTIFICATE_KEY"
    fi
    case $server_name in
        *[!0-9.]*) option=-checkhost ;;
        *) option=-checkip ;;
    esac
    if openssl x509 -in "$certificate" -noout "$option" "$server_name" 2> /dev/null | grep -q 'does NOT match'; then
        echo "configure.sh: warning: $certificate is not for $server_name, and callers will refuse it: correct WEIR_SERVER_NAME, or get another certificate" >&2
    fi
}
if [ "$variant" = https ]; then check_certificate; fi

temporary="$output.$$.new"
trap 'rm -f "$temporary"' EXIT
sed -e "/\${PROXY}/{
r $here/weir-proxy.conf.template
d
}" "$here/weir-$variant.conf.template" |
    sed -e "s|\${SERVERS}|$servers|" \
        -e "s|\${IPV6}|$ipv6|g" \
        -e "s|\${HTTP2_PARAMETER}|$http2_parameter|g" \
        -e "s|\${HTTP2_DIRECTIVE}|$http2_directive|g" \
        -e "s|\${SERVER_NAME}|$server_name|g" \
        -e "s|\${HTTP_PORT}|$http_port|g" \
        -e "s|\${HTTPS_PORT}|$https_port|g" \
        -e "s|\${CERTIFICATE_KEY}|$certificate_key|g" \
        -e "s|\${CERTIFICATE}|$certificate|g" \
        -e "s|\${WEBROOT}|$webroot|g" \
        -e "s|\${MAX_BODY}|$max_body|g" \
        -e "s|\${STREAM_TIMEOUT}|$stream_timeout|g" \
        -e "s|\${HEADER_TIMEOUT}|$header_timeout|g" \
        -e "s|\${BODY_TIMEOUT}|$body_timeout|g" \
        -e "s|\${ACCESS_LOG}|$access_log|g" \
        -e "s|\${ERROR_LOG}|$error_log|g" > "$temporary"
# Renamed in one step: a reload at this moment reads the old one or the new one.
mv "$temporary" "$output"
trap - EXIT

case $variant in
    challenge) echo "configure.sh: wrote $output for certbot alone: $certificate is not there yet" ;;
    *) echo "configure.sh: wrote $output ($variant, $in_use of $(echo "$nodes" | wc -w | tr -d ' ') nodes in use)" ;;
esac
