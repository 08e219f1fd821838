#!/bin/sh
# Open MPI: each rank under shim.
#
#     openmpi.sh RANKS ./solver ARGUMENT…
#
# SHIM: the command; RECORDINGS: where they go, a directory that every node sees, or has for itself; MPIRUN: the launcher with its options.
# Exit status: that of mpirun.
set -u
shim=${SHIM:-shim} recordings=${RECORDINGS:-shim-recordings} ranks=${1:?usage: openmpi.sh RANKS COMMAND…}
shift
# The wrapper stands between the launcher and the program: the launcher itself is not watched. Open MPI hands on only what -x names.
${MPIRUN:-mpirun} -n "$ranks" ${SHIM_OPTIONS:+-x SHIM_OPTIONS} "$shim" run --record "$recordings" -- "$@"
