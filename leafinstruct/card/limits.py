"""Known limits of a dataset, one sentence each, for the card and for croissant.json.

A sentence is included if the build's own counts support it, or if it names something that is never checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leafinstruct.records.text.language_names import named

TRUNCATED = ("truncated", "damaged")
"""Reasons of ingest for a file that ends early."""
_MISSING = {
    "damaged_record": "{count:,} archive records are damaged (`damaged_record`); their contents are missing.",
    "too_damaged": (
        "{count:,} archives are so damaged that reading stopped (`too_damaged`); the rest of each is missing."
    ),
    "too_large": (
        "{count:,} files, parts of files, records or images exceed the size limit (`too_large`); their "
        "contents are missing."
    ),
}
"""Reasons of ingest for missing data of unknown amount, with the sentence for the card."""


def limits(
    history: Mapping[str, Any],
    facts: Mapping[str, Any],
    rights: Mapping[str | None, tuple[int, int]],
    states: Mapping[str, int],
) -> list[str]:
    """The sentences.

    history: from card.history. facts: from the shard stage's record. rights: license -> records, images.
    states: state -> number of score cells of published rows.
    """
    found = [*_of_models(history), *_of_splits(facts), *_of_losses(history, states)]
    found.append(_of_reference(history.get("reference")))
    if taken := facts.get("suppressed"):
        found.append(
            f"{taken:,} examples were removed on request. Building the same dataset again needs the list of "
            "removals, which is not published."
        )
    records, images = rights.get(None, (0, 0))
    if records or images:
        found.append(
            f"{records:,} records and {images:,} images state no license. This does not mean that they are "
            "free to use."
        )
    if history["rewrite_model"] == "none":
        found.append("Conversations are unchanged from their sources; their content was not checked.")
    elif history["offline_rewrite"]:
        found.append("Questions come from fixed templates, not from a language model, so they vary little.")
    else:
        found.append(
            "Questions and answers were written by a language model, which may have changed the meaning of "
            "a page."
        )
        found += _of_checks(history.get("checks", {}))
    found += _of_screens(history)
    found.append(
        "Languages were identified by machine; a short text may be assigned to a closely related language."
    )
    found.append(
        "Scores are estimates: see `scores` of each row, and their `state` if a score could not be computed."
    )
    return found


def _of_checks(bounds: Mapping[str, float | None]) -> Iterator[str]:
    """What the rules about the rewriter's answers ensure, with their bounds."""
    stated = [f"{name} {bound:g}" for name, bound in bounds.items() if bound is not None]
    if not stated:
        yield "The answers were not checked against their pages."
        return
    yield (
        "Each answer passed rules that compare it with its page (`rewrite.*` in `scores`): "
        f"{', '.join(stated)}. Rules find numbers, names and addresses that a page does not have, "
        "not every wrong sentence."
    )


def _of_screens(history: Mapping[str, Any]) -> Iterator[str]:
    """What was done about personal data, toxic language and images. Sketchbook has none of them."""
    masked = sum(count for name, count in history["edits"].items() if name.startswith("personal."))
    kinds = "e-mail addresses, phone numbers, payment cards, IBANs, IP addresses and keys"
    yield {
        "mask": f"{masked:,} {kinds} in texts were replaced by words such as `[email]`.",
        "drop": f"Documents with {kinds} in their texts were dropped.",
        "keep": f"{kinds[:1].upper()}{kinds[1:]} in texts were counted (`personal.*`) and kept.",
    }[history["personal_data"]] + " Names of people were not searched."
    yield (
        "Toxic language was counted by a short list of words (`toxicity.words`), which finds abuse and no "
        "bad intent."
    )
    if "nsfw" in history["unscreened"]:
        yield "Images were not searched for faces, nudity or violence."


def _of_models(history: Mapping[str, Any]) -> Iterator[str]:
    if history["models"]["alignment"] is None:
        yield (
            "Alignment and coherence were not scored: no model compared the images with their texts or "
            "with each other."
        )
    if history["toy"]:
        yield (
            "Toy scores: the packaged tiny CLIP recognizes only sketchbook images, and the recipe applied it "
            "to other sources (`allow_toy: true`). The alignment and coherence scores are meaningless."
        )
    if unaligned := history["unaligned"]:
        counts = _list([f"{named(code)} {count:,}" for code, count in unaligned.items()])
        yield (
            f"Alignment was not scored for {sum(unaligned.values()):,} documents whose language the model "
            f"does not know ({counts}); rules on it were ignored for them."
        )
    if unpredicted := history["unpredicted"]:
        counts = _list([f"{named(code)} {count:,}" for code, count in unpredicted.items()])
        yield (
            f"The texts of {sum(unpredicted.values()):,} documents were not scored by a classifier or a "
            f"language model that does not know their language ({counts}); rules on these scores were "
            "ignored for them."
        )
    if moved := history["filter"].get("reassigned", 0):
        yield (
            f"Of the images of kept documents, {moved:,} were assigned to another text by the alignment "
            "model (`filter.alignment.reassign`); their `owner_found` is `matched`. Their places are "
            "unchanged."
        )
    if loose := [f"`{rule['score']}`" for rule in history["rules"] if rule.get("uncalibrated")]:
        yield f"Uncalibrated bounds: those of {_list(loose)} were not calibrated for the model that was used."
    if pleading := history["filter"].get("suspicious", 0):
        yield (
            f"{pleading:,} documents address a judge or a model; they have no verdict of the judge (state "
            "`suspicious`)."
        )
    if any(rule["score"].startswith("rules.") for rule in history["rules"]):
        yield "`rules.*` scores are text statistics; no model read the texts."


def _of_reference(reference: Mapping[str, Any] | None) -> str:
    if reference is None:
        return "The data was not compared with any benchmark (`filter.reference`)."
    names = _list([f"`{name}`" for name in reference["sources"]])
    return (
        f"Documents were compared with {reference['documents']:,} documents and {reference['images']:,} "
        f"images of {names} (`contamination.*`), but not with {reference['short']:,} of their texts, which "
        f"are too short, and {reference['unread']:,} of their images, which could not be read. Paraphrases "
        "and translations are not found."
    )


def _of_splits(facts: Mapping[str, Any]) -> Iterator[str]:
    for warning in facts["warnings"]:
        yield f"{warning[:1].upper()}{warning[1:].rstrip('.')}."


def _of_losses(history: Mapping[str, Any], states: Mapping[str, int]) -> Iterator[str]:
    unreadable = dict(history["unreadable"])
    if cut := sum(unreadable.get(reason, 0) for reason in TRUNCATED):
        yield f"{cut:,} source files end early (`truncated: keep`); the rest of each is missing."
    for reason, sentence in _MISSING.items():
        if count := unreadable.get(reason, 0):
            yield sentence.format(count=count)
    if history["unfetched"]:
        yield (
            f"{history['unfetched']:,} images are on the web and were not fetched; they, or the documents "
            "that need them, were dropped."
        )
    for stage in ("filter", "rewrite"):
        if failed := history[stage].get("failed", 0):
            yield (
                f"{failed:,} documents were dropped in {stage} because of a failure, not because of their "
                "quality (`tolerate_failures`)."
            )
    if gaps := {state: count for state, count in sorted(states.items()) if state != "ok"}:
        counts = _list([f"{count:,} {state.replace('_', ' ')}" for state, count in gaps.items()])
        yield f"Some scores of published rows have no value: {counts}."


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
