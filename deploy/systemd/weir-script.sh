#!/bin/sh
# Runs one of Weir's scripts as the user weir, with the settings of the service:
#
#   sudo /opt/weir/deploy/systemd/weir-script.sh create_admin --username admin
#
# WEIR_ENV names another file of settings than /etc/weir/weir.env.
set -eu

[ $# -ge 1 ] || { echo 'usage: weir-script.sh <script> [arguments]' >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
script=$1
shift
case $script in
    '' | *[!a-z_]*) echo "weir-script.sh: there is no script $script" >&2; exit 2 ;;
esac
[ -e "$here/dist/scripts/$script.js" ] || { echo "weir-script.sh: there is no script $script" >&2; exit 2; }

cd "$here"
# Read here and not by the shell that the user gets: he may not be able to.
set -a
# shellcheck disable=SC1090 # it is where the operator says
. "${WEIR_ENV:-/etc/weir/weir.env}"
set +a
: "${WEIR_DATA_DIR:=/var/lib/weir}"
export WEIR_DATA_DIR
exec runuser -u "${WEIR_USER:-weir}" -- node_modules/.bin/node "dist/scripts/$script.js" "$@"
