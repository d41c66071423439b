"""The recipe that `leaf init --from` writes, as a template for str.format. Its comments are for the user who
edits it."""

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
# Written by `leaf init --from`. It runs unchanged, without network, GPU, key or model:
#
#     leaf build --dry-run            # estimate what it would take
#     leaf build                      # run all stages; a second run has nothing to do
#     leaf inspect                    # an HTML page of the result: scores, movable bounds, dropped documents
#     leaf explain ID                 # why a document was kept or dropped
#
# What was found:
{findings}#
# What this recipe does not check:
{unchecked}
name: {name}
version: dev            # `dev` rebuilds what changed; a named version must not change
seed: 1                 # of the splits
part_size: 100          # documents per part: the unit of work, of resuming and of memory

ingest:
{truncated}  sources:              # paths are relative to this file
{sources}
filter:
  min_images: 1         # sampled documents with two images or more: {several} of {documents}; 2 would keep only such documents
  min_words: {min_words}{shortest}
{fetch}  rules:
    # Text. Sound pages are far from these bounds; `leaf inspect` shows the scores of yours.
    - {{score: text.links, max: 10}}
    - {{score: text.capitals, max: 0.6}}
    - {{score: text.exclamations, max: 10}}
    - {{score: text.repetition, max: 0.8}}
    # Images. Icons, separators, flat colors and files that are no images are dropped; their text stays.
    - {{score: image.decoded, min: 1}}
    - {{score: image.side, min: 32}}
    - {{score: image.aspect, max: 10}}
    - {{score: image.entropy, min: 0.5}}
    # Exact copies of a text: the first one stays.
    - {{score: duplicate.text, max: 0}}
    # Translations of a page share its images, so this rule would drop them:
    # - {{score: duplicate.images, max: 0.5}}
    # No text that refers to a dropped image ("in 6 images" where 5 are left).
    - {{score: reference.dangling, max: 0}}
    # The rule-based judge, used while no language model is configured. 1 is spam; 5 is a sound page.
    - {{score: rules.text_quality, min: 2, model: {judge}}}
    - {{score: rules.narrative_coherence, min: 2, model: {judge}}}
    # With a language model (llm: below), for example:
    # - {{score: judge.text_quality, min: 3, uncalibrated: true}}
    # - {{score: judge.text_image_relevance, min: 3, uncalibrated: true}}
    # With a CLIP model (alignment: below). Look at the scores of your corpus before you set a bound:
    # - {{score: alignment.own, min: 0.20, model: ViT-B/32, drop: step}}
  # alignment: {{model: ViT-B/32}}   # downloaded on first use

# Rules and templates, no model and no key:
llm: {{provider: offline}}
# With a model on your own machine (Ollama, vLLM), this line instead:
# llm: {{provider: ollama, model: "qwen2.5vl:7b"}}

rewrite:
  # A longer page is cut at its headings into several examples. A page without headings is dropped above these bounds.
  max_words: 2000
  max_images: 12
  tasks: [guide, story, report, continuation, next_step, edit]

shard:
  splits: {{train: 0.9, validation: 0.05, test: 0.05}}
"""  # noqa: E501
