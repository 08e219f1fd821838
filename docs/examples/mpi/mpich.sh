#!/bin/sh
# MPICH and its kin (Hydra): each rank under shim.
#
#     mpich.sh RANKS ./solver ARGUMENT…
#
# SHIM: the command; RECORDINGS: where they go; MPIEXEC: the launcher with its options. Exit status: that of mpiexec.
set -u
shim=${SHIM:-shim} recordings=${RECORDINGS:-shim-recordings} ranks=${1:?usage: mpich.sh RANKS COMMAND…}
shift
# Hydra hands the whole environment on, SHIM_OPTIONS with it, and names the rank in PMI_RANK.
${MPIEXEC:-mpiexec} -n "$ranks" "$shim" run --record "$recordings" -- "$@"
