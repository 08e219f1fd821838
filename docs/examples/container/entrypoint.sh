#!/bin/sh
# Starts the program of a container, watched when SHIM says so. Nothing of shim stays in between: the program is process 1,
# and gets the signals.
#
#     SHIM=observe | protect | hunt      a preset; anything else, or nothing: not watched
#     SHIM_RECORD=/var/lib/shim          where recordings go
#     SHIM_MORE=key=value:key=value      more options
#     SHIM_LIBRARY=/usr/local/lib/libshim.so
set -eu
library=${SHIM_LIBRARY:-/usr/local/lib/libshim.so} record=${SHIM_RECORD:-/var/lib/shim}
case ${SHIM:-} in
    observe | protect | hunt) ;;
    *) exec "$@" ;;
esac
if ! [ -r "$library" ]; then
    echo "shim-entrypoint: $library: not there; the program runs unwatched" >&2
    exec "$@"
fi
# In SHIM_OPTIONS a colon inside a value is written \: .
record=$(printf '%s\n' "$record" | sed 's/[\\:]/\\&/g')
SHIM_OPTIONS=preset=$SHIM:record=$record${SHIM_MORE:+:$SHIM_MORE}
export SHIM_OPTIONS
# Only now: this shell, and sed, are not what is to be watched.
exec env LD_PRELOAD="$library" "$@"
