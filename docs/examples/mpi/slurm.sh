#!/bin/sh
#SBATCH --job-name=solver
#SBATCH --ntasks=8
# A job of Slurm: each rank under shim, its recording on its node's own disk, and all of them merged at the end.
#
#     sbatch slurm.sh ./solver ARGUMENT…
#
# SHIM: the command; SHIM_OPTIONS: what it watches; SHIM_LOCAL: a directory that every node has for itself, /tmp by default;
# SHIM_TIERS: a rule file for memory tiers, none by default. Exit status: that of srun.
set -u
shim=${SHIM:-shim} node=${SHIM_LOCAL:-${TMPDIR:-/tmp}}/shim.${SLURM_JOB_ID:?not in a job of Slurm}
kept=${SLURM_SUBMIT_DIR:-.}/shim.$SLURM_JOB_ID
if [ -n "${SHIM_TIERS:-}" ]; then
    set -- --tiers "$SHIM_TIERS" -- "$@"
else
    set -- -- "$@"
fi
srun "$shim" run --record "$node" "$@"
status=$?
# One copy from each node.
mkdir -p "$kept"
srun --ntasks="${SLURM_JOB_NUM_NODES:-1}" --ntasks-per-node=1 \
    sh -c 'cp -R "$1" "$2/$(uname -n)" && rm -rf "$1"' sh "$node" "$kept"
"$shim" report "$kept"
if [ -n "${SHIM_TIERS:-}" ]; then
    "$shim" report --tiers "$kept"
fi
exit "$status"
