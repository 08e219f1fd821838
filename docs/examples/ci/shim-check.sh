#!/bin/sh
# A CI job: runs the tests under shim, and fails when a process of theirs had an error that is not known.
#
#     shim-check.sh COMMAND…
#
# SHIM: the command; SUPPRESSIONS: what is known, none by default; RECORDINGS: where they stay, for the job's artefacts.
# Exit status: that of the tests when it is not 0; 99 when shim found an error; 0.
set -u
shim=${SHIM:-shim} recordings=${RECORDINGS:-shim-recordings}
set -- --record "$recordings" --error_exitcode 99 -- "$@"
if [ -n "${SUPPRESSIONS:-}" ]; then
    set -- --suppressions "$SUPPRESSIONS" "$@"
fi
"$shim" run "$@"
status=$?
if [ "$status" = 99 ]; then
    echo "shim found errors; to accept them for now: $shim suppress $recordings -o shim.supp" >&2
fi
exit "$status"
