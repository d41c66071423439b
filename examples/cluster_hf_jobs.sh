#!/bin/bash
# Build a dataset with Hugging Face Jobs: for each round one job a share, each round after the one before.
#
#     bash cluster_hf_jobs.sh recipe.yaml ORG/BUCKET 16
#
# The bucket is mounted at /data and holds recipe.yaml, its sources and its workdir; the recipe here is a copy,
# from which only the number of rounds is read. Run it again to continue after a failure.
set -euo pipefail
recipe=$1 bucket=$2 shares=$3
image=${IMAGE:-registry.example.org/leafinstruct:0.1.0} # any image with `pip install leafinstruct`
flavor=${FLAVOR:-cpu-upgrade} workers=${WORKERS:-8}

rounds=$(leaf build "$recipe" --dry-run --share "1/$shares" --json | grep -c '"round":')
for round in $(seq "$rounds"); do
    jobs=()
    for share in $(seq "$shares"); do
        jobs+=("$(hf jobs run --detach --quiet --flavor "$flavor" --timeout 12h \
            --volume "hf://buckets/$bucket:/data" "$image" \
            leaf build "/data/$(basename "$recipe")" --share "$share/$shares" --workers "$workers")")
    done
    echo "round $round of $rounds: ${jobs[*]}"
    hf jobs wait "${jobs[@]}" || echo "some jobs failed; the next round continues with them"
done
