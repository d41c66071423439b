"""The text of a recipe that `leaf init --from` writes, for str.format. Comments are for the person who
changes it next."""

from __future__ import annotations

FETCH = """\
  images:
    fetch: {{contact: {contact}}}   # images on the web are fetched; the hosts see this contact
"""
NO_FETCH = """\
  # Images on the web are lost without these two lines; the hosts see the contact:
  # images:
  #   fetch: {contact: you@example.org}
"""
WHOLE = (
    "  # truncated: keep     # without this line, a file that ends early stops the build: it may be a "
    "broken download\n"
)
CUT = (
    "  truncated: keep       # a file ends early or is damaged (above); without this line the build "
    "stops there\n"
)
TEMPLATE = """\
# Written by `leaf init --from`. It runs as it is, without network, GPU, key or model:
#
#     leaf build --dry-run            # what it would take
#     leaf build                      # all stages; run again, it does nothing
#     leaf inspect                    # one HTML page of the result: scores, bounds that can be moved, what was dropped
#     leaf explain ID                 # why a document was kept or dropped
#
# What was found:
{findings}#
# What this recipe does not check:
{unchecked}
name: {name}
version: dev            # `dev` rebuilds what changed; a named version refuses to change
seed: 1                 # of splits
part_size: 100          # documents a part: the unit of work, of resuming and of memory

ingest:
{truncated}  sources:              # paths are relative to this file
{sources}
filter:
  min_images: 1         # sampled documents with two images or more: {several} of {documents}; 2 would keep only such documents
  min_words: {min_words}{shortest}
{fetch}  rules:
    # Text. These bounds are far from what sound pages have; `leaf inspect` shows the scores of yours.
    - {{score: text.links, max: 10}}
    - {{score: text.capitals, max: 0.6}}
    - {{score: text.exclamations, max: 10}}
    - {{score: text.repetition, max: 0.8}}
    # Images. A file that is no image, an icon, a separator or a flat color is dropped, its text stays.
    - {{score: image.decoded, min: 1}}
    - {{score: image.side, min: 32}}
    - {{score: image.aspect, max: 10}}
    - {{score: image.entropy, min: 0.5}}
    # Exact copies of a text: the first one stays.
    - {{score: duplicate.text, max: 0}}
    # Translations of a page share its images, so this rule would drop them:
    # - {{score: duplicate.images, max: 0.5}}
    # No text that refers to an image which was dropped ("in 6 images" where 5 are left).
    - {{score: reference.dangling, max: 0}}
    # Written rules, while there is no language model. 1 is spam; 5 is a sound page.
    - {{score: rules.text_quality, min: 2, model: {judge}}}
    - {{score: rules.narrative_coherence, min: 2, model: {judge}}}
    # With a language model (llm: below), for example:
    # - {{score: judge.text_quality, min: 3, uncalibrated: true}}
    # - {{score: judge.text_image_relevance, min: 3, uncalibrated: true}}
    # With a CLIP model (alignment: below). Look at the scores of your corpus before you set the bound:
    # - {{score: alignment.own, min: 0.20, model: ViT-B/32, drop: step}}
  # alignment: {{model: ViT-B/32}}   # downloaded when it is first used

# Rules and templates, no model and no key:
llm: {{provider: offline}}
# With a model on your own machine (Ollama, vLLM), this line instead:
# llm: {{provider: openai, base_url: "http://localhost:11434/v1", model: "qwen2.5vl:7b"}}

rewrite:
  # A longer page becomes several examples, cut at its headings, each whole by itself. What has no place to cut it at is dropped above these bounds.
  max_words: 2000
  max_images: 12
  tasks: [guide, story, report, continuation, next_step, edit]

shard:
  splits: {{train: 0.9, validation: 0.05, test: 0.05}}
"""
