"""Reconstruct the decision on a document from its tables: active rules with bound, values and outcome, and
the records of which it is a duplicate.

Rules come from the fingerprint of the built stage, not from the current recipe. Outcomes:

    passed | dropped_document | dropped_image | dropped_step | ignored | not_reached

dropped_step: an image was dropped together with the text that owns it (`drop: step`); the drop's detail lists
the positions. ignored: the model does not know the document's language. not_reached: the document was dropped
earlier, or a failure ended the decision in this family of scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from leafinstruct.filter.catalog import SCORES
from leafinstruct.filter.scores.cell import is_ignored
from leafinstruct.records.document import UNDECIDED
from leafinstruct.records.example import Cell
from leafinstruct.records.files.lookup import one_of, values_where
from leafinstruct.records.rows import Drop
from leafinstruct.runtime.artifact import Artifact

SHOWN = 20
"""Maximum number of duplicates that are listed, from the best."""


def read_back(
    filtered: Artifact, part: str, document: str, scores: Sequence[Cell], drops: Sequence[Drop]
) -> dict[str, object]:
    """`rules` and `duplicates` of a document."""
    return {
        "rules": rules(filtered, scores, drops),
        "duplicates": duplicates(filtered, part, document, scores),
    }


def rules(filtered: Artifact, scores: Sequence[Cell], drops: Sequence[Drop]) -> list[dict[str, object]]:
    """Rules in the order of the recipe: `languages` if set, every active rule, then the two minima."""
    fingerprint = filtered.fingerprint or {}
    section = cast("Mapping[str, Any]", fingerprint.get("filter", {}))
    active = set(cast("Sequence[str]", fingerprint.get("active_rules", ())))
    found = [_rule(rule, scores, drops) for rule in section.get("rules", ()) if rule["score"] in active]
    judged = not any(drop.position is None for drop in drops) or any(
        cell.name not in SCORES or SCORES[cell.name].turn for cell in scores
    )
    minima = [
        _minimum(name, section[name], drops, judged)
        for name in ("min_images", "min_words")
        if name in section
    ]
    if section.get("languages"):
        found.insert(0, _languages(section["languages"], scores, drops))
    known = {rule["rule"] for rule in [*found, *minima]}
    # drops without a rule in the recipe: personal data, an image that does not decode, an outage
    others = dict.fromkeys(drop.rule for drop in drops if drop.rule not in known)
    return [*found, *minima, *(_rule({"score": name}, scores, drops) for name in others)]


def _rule(rule: dict[str, Any], scores: Sequence[Cell], drops: Sequence[Drop]) -> dict[str, object]:
    name = rule["score"]
    cells = [cell for cell in scores if cell.name == name]
    values = [{"position": cell.position, "value": cell.value, "state": cell.state} for cell in cells]
    dropped = _outcome_of_drops(rule, [drop for drop in drops if drop.rule == name])
    bounds = {key: rule.get(key) for key in ("min", "max", "model")}
    failed = {_family(drop.rule) for drop in drops if drop.state in UNDECIDED}
    outcome = "not_reached" if not values or _family(name) in failed else "passed"
    if any(map(is_ignored, cells)):
        outcome = "ignored"
    return {"rule": name, **bounds, "values": values, "outcome": dropped or outcome}


def _outcome_of_drops(rule: dict[str, Any], drops: Sequence[Drop]) -> str | None:
    """Outcome of a rule by its drops, None without any. A failed cell always drops the document
    (filter/decision.py)."""
    if any(drop.position is None or drop.state in UNDECIDED for drop in drops) or (
        drops and rule.get("drop") == "document"
    ):
        return "dropped_document"
    if not drops:
        return None
    return "dropped_step" if rule.get("drop") == "step" else "dropped_image"


def _family(name: str) -> str:
    return name.partition(".")[0]


def _languages(allowed: Sequence[str], scores: Sequence[Cell], drops: Sequence[Drop]) -> dict[str, object]:
    """Entry for the rule `languages`. allowed: languages that the recipe keeps."""
    outcome = (
        "dropped_document"
        if any(drop.rule == "languages" for drop in drops)
        else "passed"
        if scores
        else "not_reached"
    )
    return {
        "rule": "languages",
        "min": None,
        "max": None,
        "model": None,
        "languages": list(allowed),
        "values": [],
        "outcome": outcome,
    }


def _minimum(name: str, least: float, drops: Sequence[Drop], judged: bool) -> dict[str, object]:
    """Entry for `min_images` or `min_words`. These are not scores, so a value exists only if the rule failed.

    judged: whether the document passed the first pass (text) and the minima were checked.
    """
    failed = [drop for drop in drops if drop.rule == name]
    values = [{"position": None, "value": drop.value, "state": drop.state} for drop in failed]
    outcome = "dropped_document" if failed else "passed" if judged else "not_reached"
    return {"rule": name, "min": least, "max": None, "model": None, "values": values, "outcome": outcome}


def duplicates(filtered: Artifact, part: str, document: str, scores: Sequence[Cell]) -> dict[str, Any] | None:
    """The records that the duplicate.* scores counted; None if they counted none.

    text, near_text: ids with the same text, and of the group of near-duplicates. images: for each repeated
    image its sha256 and the ids that show it. `count` includes those beyond SHOWN. Reads short columns of all
    parts, only for records with duplicates.
    """
    counted = {
        cell.name: cell.value
        for cell in scores
        if cell.position is None and cell.name.startswith("duplicate.")
    }
    columns = ("words", "images")
    own = next(
        values_where(filtered.file("keys", part), "document_id", one_of({document}), "text", *columns), None
    )
    if own is None or not any(counted.values()):
        return None
    own_text, own_words, own_images = own[0], own[1], own[2]
    same_text, shown = set[_Place](), dict[str, set[_Place]]()
    for path in filtered.files("keys"):
        if counted.get("duplicate.text"):
            found = values_where(path, "text", one_of({own_text}), "document_id", *columns)
            same_text |= {_place(*values) for values in found}
        if counted.get("duplicate.images"):
            test = one_of(set(own_images) - {""})
            for other, words, others in values_where(path, "images", test, "document_id", *columns):
                for image in set(own_images) & set(others):
                    shown.setdefault(image, set()).add(_place(other, words, others))
    place = _place(document, own_words, own_images)
    images = [{"sha256": sha256, **_better(places, place)} for sha256, places in sorted(shown.items())]
    return {
        "text": _better(same_text, place),
        "near_text": _better(_group(filtered, part, document), place),
        "images": [item for item in images if item["count"]],
    }


_Place = tuple[int, int, str]
"""Place in the order of documents from the best (filter/index/corpus.py)."""


def _place(document: str, words: int, images: Sequence[str]) -> _Place:
    return (-len(images), -words, document)


def _group(filtered: Artifact, part: str, document: str) -> set[_Place]:
    """The documents of the group of near-duplicate texts that a document is in."""
    path = filtered.file("duplicates", part)
    (group,) = next(values_where(path, "document_id", one_of({document}), "group"), (None,))
    found = set[_Place]()
    for path in filtered.files("duplicates") if group is not None else ():
        members = {name for (name,) in values_where(path, "group", one_of({group}), "document_id")}
        if members:
            keys = filtered.file("keys", path.stem.removeprefix("duplicates-"))
            columns = ("document_id", "words", "images")
            found |= {
                _place(*values) for values in values_where(keys, "document_id", one_of(members), *columns)
            }
    return found


def _better(places: set[_Place], own: _Place) -> dict[str, Any]:
    """Ids of the documents before a document in the order: it is a copy of these."""
    before = sorted(place for place in places if place < own)
    return {"count": len(before), "of": [name for *_, name in before[:SHOWN]]}
