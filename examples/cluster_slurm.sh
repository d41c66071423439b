#!/bin/bash
# Build a dataset on a SLURM cluster: an array of shares for each round, each after the one before.
#
#     bash cluster_slurm.sh recipe.yaml 16
#
# The recipe's workdir is on a disk that all nodes share. Submit it again to continue after a failure.
#SBATCH --job-name=leaf
#SBATCH --output=leaf-%A_%a.log
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
set -euo pipefail
recipe=$1 shares=$2

if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then # a task of the array
    exec srun leaf build "$recipe" --share "$SLURM_ARRAY_TASK_ID/$shares" --workers "${SLURM_CPUS_PER_TASK:-1}"
fi

rounds=$(leaf build "$recipe" --dry-run --share "1/$shares" --json | grep -c '"round":')
after=
for round in $(seq "$rounds"); do
    after=$(sbatch --parsable --array="1-$shares" ${after:+--dependency="afterany:$after"} "$0" "$recipe" "$shares")
    echo "round $round of $rounds: job $after"
done
