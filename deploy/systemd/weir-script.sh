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
# Read here: the user that the script runs as may not be able to. As systemd reads it and not as a shell
# would, to which the & of a URL, a $ or a space in a password mean something.
file=${WEIR_ENV:-/etc/weir/weir.env}
[ -r "$file" ] || { echo "weir-script.sh: $file cannot be read" >&2; exit 1; }
while IFS='	 ' read -r line || [ -n "$line" ]; do
    case $line in
        [A-Za-z_]*=*) ;;
        *) continue ;;
    esac
    name=${line%%=*}
    value=${line#*=}
    case $name in
        *[!A-Za-z0-9_]*) continue ;;
    esac
    case $value in
        *\\*) echo "weir-script.sh: $name in $file holds a backslash, which systemd and this script read differently" >&2; exit 1 ;;
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    export "$name=$value"
done < "$file"
: "${WEIR_DATA_DIR:=/var/lib/weir}"
export WEIR_DATA_DIR
# Cron looks for commands in /usr/bin and /bin alone.
PATH=$PATH:/usr/sbin:/sbin
exec runuser -u "${WEIR_USER:-weir}" -- node_modules/.bin/node "dist/scripts/$script.js" "$@"
