#!/usr/bin/env bash
# The whole path, from pages to a trained adapter: about three minutes on two cores, without network, GPU or API key.
#
#     bash examples/speedrun.sh [FOLDER] [PAGES]
#
# FOLDER is made new (default: speedrun). PAGES is a folder of your own pages, web archives, MMC4, OBELICS or videos; without it
# the packaged recipe draws its own small corpus. A second call with the same FOLDER continues where the first one stopped.
set -euo pipefail

folder=${1:-speedrun}
pages=${2:-}

# 1. A recipe with prompts, question templates and card templates beside it.
if [ ! -f "$folder/recipe.yaml" ]; then
    leaf init "$folder" ${pages:+--from "$pages"}
fi
cd "$folder"

# 2. What would it cost? Documents, requests, tokens and dollars are estimated; nothing is built.
leaf build --dry-run

# 3. Read and filter. Each stage writes its own folder in runs/, and a second run does nothing.
leaf build --stage filter

# 4. Look at what was kept and dropped, and why: one HTML page for a browser.
leaf inspect --out look.html

# 5. Rewrite and shard: Parquet files and a dataset card. Without `llm:` in the recipe the questions come from templates.
leaf build

# 6. Every file still has the sha256 that was recorded when it was written.
leaf verify

# 7. The same dataset for other trainers.
run=$(ls -d runs/*/shard | head -n 1)
leaf export --to conversations --out export

# 8. Publish: needs `hf auth login` and a repository, e.g. PUSH_TO=me/lessons. Private unless --public.
if [ -n "${PUSH_TO:-}" ]; then
    leaf push --repo "$PUSH_TO"
fi

# 9. Train a MoSS adapter on the shards. The packaged tiny model knows drawn lessons only: it shows the path. For a real base see docs/training.md.
cat > train.yaml <<RECIPE
name: adapter
train:
  data: run:$(basename "$(dirname "$run")")
  backbone: {name: chameleon, weights: "leaf:tiny-1", base: "leaf:tiny-1"}
  adapter: {method: moss, r_text: 8, r_image: 8, alpha_text: 16, alpha_image: 16}
  context: 512
  batch: 2
  accumulate: 1
  steps: ${STEPS:-20}
  save_every: 10
RECIPE
leaf train train.yaml

# 10. Ask the trained model. answer/index.html shows the question and the answer.
if [ ! -d answer ]; then
    leaf generate train.yaml "How do I draw a red house?" --out answer --seed 1
fi
