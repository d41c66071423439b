"""A document's trial as it can be read back: every rule that was in force with its bound, the values it met and how it ended, and of which records
a duplicate is one.

Rules are those of the fingerprint that the stage was built with, not those of today's recipe. A rule ends as

    passed | dropped_document | dropped_picture | not_reached      not_reached: an earlier rule had ended the trial, or the stage has not got there
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leafinstruct.artifact import Artifact
from leafinstruct.records.lookup import one_of, rows_where

SHOWN = 20
"""Records that are named as holding the same; the smallest id, which is the one that was kept, comes first."""


def told(filtered: Artifact, part: str, document: str, scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"rules": rules(filtered, scores, drops), "duplicates": duplicates(filtered, part, document, scores)}


def rules(filtered: Artifact, scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every active rule, then the two minima, in the order of the recipe."""
    fingerprint = filtered.fingerprint or {}
    section, active = fingerprint.get("filter", {}), set(fingerprint.get("active_rules", ()))
    found = [_rule(rule, scores, drops) for rule in section.get("rules", ()) if rule["score"] in active]
    minima = [_minimum(name, section[name], drops) for name in ("min_images", "min_words") if name in section]
    known = {rule["rule"] for rule in [*found, *minima]}
    unwritten = dict.fromkeys(drop["rule"] for drop in drops if drop["rule"] not in known)  # a picture that does not decode, an outage
    return [*found, *minima, *(_rule({"score": name}, scores, drops) for name in unwritten)]


def _rule(rule: dict[str, Any], scores: Sequence[dict[str, Any]], drops: Sequence[dict[str, Any]]) -> dict[str, Any]:
    name = rule["score"]
    met = [{"position": cell["position"], "value": cell["value"], "state": cell["state"]} for cell in scores if cell["name"] == name]
    against = [drop for drop in drops if drop["rule"] == name]
    bounds = {key: rule.get(key) for key in ("min", "max", "model")}
    return {"rule": name, **bounds, "values": met, "outcome": _outcome(rule, met, against)}


def _outcome(rule: dict[str, Any], met: Sequence[object], against: Sequence[dict[str, Any]]) -> str:
    if any(drop["position"] is None for drop in against) or (against and rule.get("drop") == "document"):
        return "dropped_document"
    return "dropped_picture" if against else "passed" if met else "not_reached"


def _minimum(name: str, least: float, drops: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The two minima are counted, not scored: a value is kept only where one failed."""
    against = [drop for drop in drops if drop["rule"] == name]
    met = [{"position": None, "value": drop["value"], "state": drop["state"]} for drop in against]
    return {"rule": name, "min": least, "max": None, "model": None, "values": met, "outcome": "dropped_document" if against else "passed"}


def duplicates(filtered: Artifact, part: str, document: str, scores: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What the duplicate.* scores counted, by name; None where they counted nothing.

    text: ids with the same text; pictures: of each repeated picture its sha256 and the ids that show it; `count` of all of them, also those
    beyond SHOWN. Asked of all parts, but only for a record that has duplicates: two short columns are read.
    """
    counted = {cell["name"]: cell["value"] for cell in scores if cell["position"] is None and cell["name"].startswith("duplicate.")}
    own = next((row for _, row in rows_where(filtered.file("keys", part), "document_id", one_of({document}))), None)
    if own is None or not any(counted.values()):
        return None
    same_text, shown = set[str](), dict[str, set[str]]()
    for path in sorted(filtered.path.glob("keys-*.parquet")):
        if counted.get("duplicate.text"):
            same_text |= {row["document_id"] for _, row in rows_where(path, "text", one_of({own["text"]}), ["document_id"])}
        if counted.get("duplicate.pictures"):
            for _, row in rows_where(path, "pictures", one_of(set(own["pictures"]) - {""})):
                for picture in set(own["pictures"]) & set(row["pictures"]):
                    shown.setdefault(picture, set()).add(row["document_id"])
    pictures = [{"sha256": sha256, **_earlier(ids, document)} for sha256, ids in sorted(shown.items())]
    return {"text": _earlier(same_text, document), "pictures": [item for item in pictures if item["count"]]}


def _earlier(ids: set[str], document: str) -> dict[str, Any]:
    """A record is a copy of those with a smaller id (filter/duplicate.py)."""
    before = sorted(other for other in ids if other < document)
    return {"count": len(before), "of": before[:SHOWN]}
