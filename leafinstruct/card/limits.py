"""What a reader of the dataset has to know before trusting it: one sentence each, for the card and for
Croissant. Pure.

A sentence stands here only where the build's own counts say so, or where something is never looked at. Names
of reasons and scores are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TRUNCATED = ("truncated", "damaged")
"""Reasons of ingest for a file that ends early."""
_MISSING = {
    "damaged_record": "{count:,} records of archives are damaged (`damaged_record`): what they held is missing.",
    "too_damaged": (
        "{count:,} archives are so damaged that reading stopped (`too_damaged`): what came behind that "
        "place is missing."
    ),
    "too_large": (
        "{count:,} files, parts of files, records or images are larger than what is read (`too_large`): "
        "what they held is missing."
    ),
}
"""Reasons of ingest for what is missing in an unknown amount, and what the card says about them."""


def limits(
    history: Mapping[str, Any],
    facts: Mapping[str, Any],
    rights: Mapping[str | None, tuple[int, int]],
    states: Mapping[str, int],
) -> list[str]:
    """history: card.history; facts: of shard's record; rights: license -> records, images; states: of the
    published scores' cells."""
    found = [*_of_models(history), *_of_splits(facts), *_of_losses(history, states)]
    if taken := facts.get("suppressed"):
        found.append(
            f"{taken:,} examples were taken out because somebody asked for it. Building again needs "
            "the list of them, which is not published."
        )
    records, images = rights.get(None, (0, 0))
    if records or images:
        found.append(
            f"{records:,} records and {images:,} images state no license: nobody said what may be "
            "done with them, which is no permission."
        )
    if history["rewrite_model"] == "none":
        found.append("Conversations stand as their sources tell them; nobody checked what they say.")
    elif history["offline_rewrite"]:
        found.append("Questions come from written templates, not from a language model, so they vary little.")
    else:
        found.append(
            "Questions and answers were written by a language model, which may have changed the sense of "
            "a page."
        )
    found.append("Nothing here looked for personal data, faces or toxic language.")
    found.append(
        "Languages were identified by machine; a short text in a language with close neighbors may be "
        "taken for one of those."
    )
    found.append(
        "A score is evidence, not truth: see `scores` of each row, and their `state` where one could not "
        "be computed."
    )
    return found


def _of_models(history: Mapping[str, Any]) -> Iterator[str]:
    if history["models"]["alignment"] is None:
        yield (
            "Alignment and coherence were not scored: no model compared the images with their texts or "
            "with each other."
        )
    if history["toy"]:
        yield (
            "Toy scores: the packaged tiny CLIP knows only drawn scenes and was allowed to judge "
            "other sources (`allow_toy: true`). "
            "Alignment and coherence scores of this dataset mean nothing."
        )
    if loose := [f"`{rule['score']}`" for rule in history["rules"] if rule.get("uncalibrated")]:
        yield f"Uncalibrated bounds: those of {_list(loose)} were not set for the model that was used."
    if any(rule["score"].startswith("rules.") for rule in history["rules"]):
        yield "`rules.*` scores come from written rules, which count and do not read."


def _of_splits(facts: Mapping[str, Any]) -> Iterator[str]:
    for warning in facts["warnings"]:
        yield f"{warning[:1].upper()}{warning[1:].rstrip('.')}."


def _of_losses(history: Mapping[str, Any], states: Mapping[str, int]) -> Iterator[str]:
    unreadable = dict(history["unreadable"])
    if cut := sum(unreadable.get(reason, 0) for reason in TRUNCATED):
        yield f"{cut:,} source files end early (`truncated: keep`): what came behind the cut is missing."
    for reason, sentence in _MISSING.items():
        if count := unreadable.get(reason, 0):
            yield sentence.format(count=count)
    if history["unfetched"]:
        yield (
            f"{history['unfetched']:,} images are on the web and were not fetched, so documents lost "
            "them, or were lost with them."
        )
    for stage in ("filter", "rewrite"):
        if failed := history[stage].get("failed", 0):
            yield (
                f"{failed:,} documents were dropped in {stage} because something failed, not because "
                "they are bad (`tolerate_failures`)."
            )
    if gaps := {state: count for state, count in sorted(states.items()) if state != "ok"}:
        told = _list([f"{count:,} {state.replace('_', ' ')}" for state, count in gaps.items()])
        yield f"Some scores of published rows have no value: {told}."


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
