"""A document's decision as it can be read back: every rule that was in force with its bound, the values it
met and how it ended, and of which records a duplicate is one.

Rules are those of the fingerprint that the stage was built with, not those of today's recipe. A rule ends as

    passed | dropped_document | dropped_image | dropped_step | not_reached

dropped_step: an image was dropped together with the text that owns it (`drop: step`); the drop's detail lists
the positions. not_reached: the decision had ended before, or a failure ended it there, which is no verdict of
the rules over the same family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leafinstruct.records.document import NO_VERDICT
from leafinstruct.records.files.lookup import one_of, rows_where
from leafinstruct.runtime.artifact import Artifact

SHOWN = 20
"""Records that are named as holding the same; the smallest id, which is the one that was kept, comes
first."""


def told(
    filtered: Artifact,
    part: str,
    document: str,
    scores: Sequence[dict[str, Any]],
    drops: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "rules": rules(filtered, scores, drops),
        "duplicates": duplicates(filtered, part, document, scores),
    }


def rules(
    filtered: Artifact, scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """`languages` where the recipe sets it, every active rule, then the two minima, in the order of the
    recipe."""
    fingerprint = filtered.fingerprint or {}
    section, active = fingerprint.get("filter", {}), set(fingerprint.get("active_rules", ()))
    found = [_rule(rule, scores, drops) for rule in section.get("rules", ()) if rule["score"] in active]
    judged = not any(drop["position"] is None for drop in drops) or any(
        not cell["name"].startswith(("document.", "text.")) for cell in scores
    )
    minima = [
        _minimum(name, section[name], drops, judged)
        for name in ("min_images", "min_words")
        if name in section
    ]
    if section.get("languages"):
        found.insert(0, _languages(section["languages"], scores, drops))
    known = {rule["rule"] for rule in [*found, *minima]}
    # an image that does not decode, an outage
    unwritten = dict.fromkeys(drop["rule"] for drop in drops if drop["rule"] not in known)
    return [*found, *minima, *(_rule({"score": name}, scores, drops) for name in unwritten)]


def _rule(
    rule: dict[str, Any], scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    name = rule["score"]
    met = [
        {"position": cell["position"], "value": cell["value"], "state": cell["state"]}
        for cell in scores
        if cell["name"] == name
    ]
    against = [drop for drop in drops if drop["rule"] == name]
    bounds = {key: rule.get(key) for key in ("min", "max", "model")}
    failed = {_family(drop["rule"]) for drop in drops if drop["state"] in NO_VERDICT}
    outcome = "not_reached" if not met or _family(name) in failed else "passed"
    return {"rule": name, **bounds, "values": met, "outcome": _against(rule, against) or outcome}


def _against(rule: dict[str, Any], against: Sequence[dict[str, Any]]) -> str | None:
    """A failed cell drops its document, whatever it is the cell of (filter/decision.py)."""
    if any(drop["position"] is None or drop["state"] in NO_VERDICT for drop in against) or (
        against and rule.get("drop") == "document"
    ):
        return "dropped_document"
    if not against:
        return None
    return "dropped_step" if rule.get("drop") == "step" else "dropped_image"


def _family(name: str) -> str:
    return name.partition(".")[0]


def _languages(
    allowed: Sequence[str], scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The rule over the document's language, which the drop's detail names. languages: those that the recipe
    keeps."""
    outcome = (
        "dropped_document"
        if any(drop["rule"] == "languages" for drop in drops)
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


def _minimum(name: str, least: float, drops: Sequence[dict[str, Any]], judged: bool) -> dict[str, Any]:
    """The two minima are counted, not scored: a value is kept only where one failed. judged: they were, at
    least once: a document that did not outlive the first pass, that of text, has no other scores."""
    against = [drop for drop in drops if drop["rule"] == name]
    met = [{"position": None, "value": drop["value"], "state": drop["state"]} for drop in against]
    outcome = "dropped_document" if against else "passed" if judged else "not_reached"
    return {"rule": name, "min": least, "max": None, "model": None, "values": met, "outcome": outcome}


def duplicates(
    filtered: Artifact, part: str, document: str, scores: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """What the duplicate.* scores counted, by name; None where they counted nothing.

    text: ids with the same text; images: of each repeated image its sha256 and the ids that show it; `count`
    of all of them, also those beyond SHOWN. Asked of all parts, but only for a record that has duplicates:
    two short columns are read.
    """
    counted = {
        cell["name"]: cell["value"]
        for cell in scores
        if cell["position"] is None and cell["name"].startswith("duplicate.")
    }
    own = next(
        (row for _, row in rows_where(filtered.file("keys", part), "document_id", one_of({document}))), None
    )
    if own is None or not any(counted.values()):
        return None
    same_text, shown = set[str](), dict[str, set[str]]()
    for path in sorted(filtered.path.glob("keys-*.parquet")):
        if counted.get("duplicate.text"):
            same_text |= {
                row["document_id"]
                for _, row in rows_where(path, "text", one_of({own["text"]}), ["document_id"])
            }
        if counted.get("duplicate.images"):
            for _, row in rows_where(path, "images", one_of(set(own["images"]) - {""})):
                for image in set(own["images"]) & set(row["images"]):
                    shown.setdefault(image, set()).add(row["document_id"])
    images = [{"sha256": sha256, **_earlier(ids, document)} for sha256, ids in sorted(shown.items())]
    return {"text": _earlier(same_text, document), "images": [item for item in images if item["count"]]}


def _earlier(ids: set[str], document: str) -> dict[str, Any]:
    """A record is a copy of those with a smaller id (filter/scores/duplicate.py)."""
    before = sorted(other for other in ids if other < document)
    return {"count": len(before), "of": before[:SHOWN]}
