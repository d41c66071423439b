"""What a person is shown of a record: no character that a terminal would obey, no line of a page that could
pass for one of ours."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.records import printable as prose
from leafinstruct.records.example import Cell
from leafinstruct.records.rows import Drop
from leafinstruct.report.explain import story
from leafinstruct.report.inspect import decision

WILD = st.text(min_size=1, max_size=200)
HEADINGS = (
    *("document ", "ingest: ", "filter: ", "rewrite: ", "example ", "shard: ", "cost: ", "versions"),
    *("preference row ", "lent to document "),
)


@given(st.text(), st.integers(1, 50))
def test_printable_is_one_line_of_at_most_its_limit(text, limit):
    found = prose.printable(text, limit)
    assert found.isprintable()
    assert len(found) <= limit
    assert prose.printable(text) == text or not text.isprintable()
    assert len(prose.printable(text)) == len(text)


def test_escapes_overrides_and_broken_surrogates_are_spaces():
    assert prose.printable("a\x1b[31mb\u202ec\udcffd\x9be\nf") == "a [31mb c d e f"


def question(wild: str) -> dict[str, Any]:
    """What was asked and said, with `wild` wherever a page or a model has a say."""
    image = {"type": "image", "sha256": "a" * 64, "media_type": "image/png", "bytes": 1_234}
    messages = [
        {"role": "system", "content": wild},
        {"role": "user", "content": [{"type": "text", "text": wild}, image]},
    ]
    paid = {"requests": 2, "input_tokens": 1_200, "output_tokens": 34, "estimated": False, "dollars": 0.25}
    tries = [{"seconds": 0.5, "text": None, "fault": wild}, {"seconds": 1.5, "text": wild, "fault": ""}]
    sent = {"model": wild, "temperature": 0, "max_tokens": 9, "messages": messages}
    exchange = {
        "purpose": "judge",
        "model": wild,
        "at": "2026-01-02T03:04:05+00:00",
        "state": "ok",
        "detail": "",
        "sent": sent,
    }
    return {
        "key": "0" * 64,
        "model": wild,
        "state": "refused",
        "detail": wild,
        "paid": paid,
        "answers": [{"text": wild + "!", "value": {}}],
        "exchanges": [{**exchange, "tries": tries, "paid": paid}],
    }


def rounds(wild: str) -> list[dict[str, Any]]:
    """The questions of rewrite: an example written and examined."""
    place = {"example": "2" * 16, "round": 0}
    return [{**place, "purpose": purpose, **question(wild)} for purpose in ("rewrite", "examine")]


def lineage_of(wild: str, example: str | None = None) -> dict[str, Any]:
    """A story in which everything that a file may hold is `wild`."""
    drop = {
        "rule": "text.links",
        "position": None,
        "value": 9.0,
        "threshold": 2.0,
        "state": "ok",
        "detail": wild,
    }
    fetch = {
        "sha256": None,
        "status": 404,
        "state": "ok",
        "reason": wild,
        "at": wild,
        "final_url": wild,
        "url": wild + "?",
        "attempts": 1,
    }
    found = {"format": None, "width": None, "height": None, "sha256": None, "reason": wild}
    image = {
        "url": wild + "!",
        "license": wild,
        "owner": 0,
        "owner_found": "stated",
        "found": found,
        "fetch": {**fetch, "seconds": 0.5, "size": None},
    }
    turns = [{"role": "user", "parts": [wild, wild]}]
    named = [{"name": "rewrite", "identity": wild}]
    shard = {
        "file": "guide.train-00000-of-00001.parquet",
        "path": wild,
        "row": 17,
        "task": "guide",
        "split": "train",
    }
    place = {"file": "preference/train-00000-of-00001.parquet", "row": 3, "split": "train"}
    lender = dict.fromkeys(("url", "page_url", "title", "license", "file", "locator"), wild)
    pair = {
        **{
            "id": "3" * 16,
            "kind": "swapped_image",
            "changed": {"image": 1},
            "rejected": [wild, wild],
            **place,
        },
        "lender": {"document_id": "4" * 16, "example_id": "6" * 16, "source": "own", **lender},
        "scores": {"chosen": {"examined.fluency": 5.0}, "rejected": {"examined.fluency": None}},
    }
    rule = {"rule": "text.links", "min": None, "max": 2.0, "model": None, "outcome": "dropped_document"}
    examples = (
        [
            {
                **{"id": example, "task": "guide", "turns": turns, "models": named, "prompts": named},
                "scores": [{"name": "examined.fluency", "value": 2.0, "state": "ok", "detail": wild}],
                "shard": shard,
                "preference": [pair],
            }
        ]
        if example
        else []
    )
    copy = {"count": 23, "of": ["0" * 15 + "1"]}
    return {
        "document": "0" * 16,
        "part": wild,
        "fate": "sharded" if example else "dropped_by_filter",
        "source": {
            **dict.fromkeys(("name", "title", "url", "license", "file", "locator", "path"), wild),
            "page_url": wild + "?",
            "language": "nl",
            "language_confidence": 0.98,
            "sha256": "b" * 64,
        },
        "segments": [
            {"position": 0, "kind": "prose", "time": None, "role": None, "text": wild},
            {"position": 1, "kind": "image", "time": 2.5, "role": "user", "ref": wild, "alt": wild, **image},
        ],
        "scores": [
            {
                "name": "judge.text_quality",
                "position": None,
                "value": None,
                "state": "refused",
                "detail": wild,
            }
        ],
        "filter": {
            "verdict": "dropped",
            "drops": [drop],
            "edits": [],
            "reassigned": [],
            "rules": [{**rule, "values": []}],
            "duplicates": {"text": copy, "near_text": copy, "images": [{"sha256": "c" * 24, **copy}]},
            "judge": question(wild),
        },
        "rewrite": {"verdict": "dropped", "drops": [drop], "questions": rounds(wild)},
        "examples": examples,
        "lent": [{**place, "kind": "other_text", "document_id": "5" * 16}],
        "cost": question(wild)["paid"],
        "versions": {
            "ingest": {"state": "done", "code": 5, "libraries": {"av": wild}, "models": {"judge": wild}}
        },
    }


@given(WILD, st.sampled_from([None, "1" * 16]), st.integers(60, 100), st.booleans())
def test_no_line_of_a_story_obeys_the_page_or_passes_for_a_heading(wild, example, width, full):
    for line in story.story(lineage_of(wild, example), width, full):
        assert line.isprintable()
        assert len(line) <= width
        assert not line or line.startswith((" ", *HEADINGS))


def test_folded_texts_are_complete_with_full():
    page = "\n".join(f"line {number} of the page" for number in range(40))
    asked = {
        **lineage_of("x", "1" * 16),
        "rewrite": {"verdict": "kept", "drops": [], "questions": rounds(page)[:1]},
    }
    folded, whole = ("\n".join(story.story(asked, full=full)) for full in (False, True))
    assert folded.count("\n        line 5 of the page") == 2
    assert folded.count("\n        line 6 of the page") == 0
    assert f"[of {len(page):,} characters; all of them with --full]" in folded
    assert whole.count("\n        line 39 of the page") == 2  # of two messages
    assert "--full" not in whole


def test_a_question_is_shown_with_its_price_tries_and_images():
    lines = [line.strip() for line in story.story(lineage_of("x"))]
    assert "2 requests, 1,200 tokens in, 34 out, $0.250000" in lines
    assert "try 1 after 0.5 s: no answer, x" in lines
    assert "try 2 after 1.5 s: answer as received" in lines
    assert f"[image sha256 {'a' * 64}, image/png, 1,234 bytes]" in " ".join(lines)
    assert lines.count("answer as received") == 3  # of each question the one that only the cache holds


def test_a_copy_names_the_records_that_it_copies():
    lines = [line.strip() for line in story.story(lineage_of("x"))]
    assert "same text as 0000000000000001 and 22 more" in lines


def test_an_image_is_shown_with_its_time_license_and_fetch():
    fetch = {
        "sha256": "0",
        "status": 200,
        "size": 34_000,
        "at": "2026-01-02T03:04:05+00:00",
        "final_url": None,
        "url": "http://a/",
    }
    found = {"format": "PNG", "width": 64, "height": 48, "reason": "", "sha256": "d" * 64}
    segment = {
        "position": 3,
        "kind": "image",
        "time": 2.5,
        "role": None,
        "ref": "a.mp4#t=2.5",
        "alt": "",
        "url": "http://a/",
    }
    known = {
        "license": "CC0-1.0",
        "owner": 2,
        "owner_found": "stated",
        "found": found,
        "fetch": {**fetch, "attempts": 2, "seconds": 1.25},
    }
    lines = list(story.story({**lineage_of("x"), "segments": [{**segment, **known}]}))
    at = lines.index("ingest: 0 texts and 1 images")
    assert lines[at + 1 : at + 8] == [
        "  [3] image at 2.500 s: a.mp4#t=2.5",
        "      belongs to [2], stated",
        "      URL http://a/",
        "      license CC0-1.0",
        "      fetched 2026-01-02T03:04:05+00:00: 200, 34,000 bytes; 2 tries, 1.25 s",
        "      found PNG, 64 x 48 pixels, sha256",
        f"        {'d' * 64}",
    ]


@pytest.mark.parametrize("value", [None, 0.5])
def test_a_verdict_is_a_sentence_also_where_there_was_no_value(value):
    drop = {
        "rule": "alignment.own",
        "position": 4,
        "value": value,
        "threshold": 0.13,
        "state": "unparsed",
        "detail": "",
    }
    lines = list(story.story({**lineage_of("x"), "filter": {**lineage_of("x")["filter"], "drops": [drop]}}))
    wanted = "is 0.5" if value else "has no value (unparsed)"
    assert f"  alignment.own of image [4] {wanted}, the bound is 0.13" in lines


def test_an_image_that_was_dropped_with_its_text_is_reported_with_the_text():
    detail = "truncated: file ends early; its text [3] was dropped with it"
    drop, cell = Drop("image.decoded", 0.0, 1.0, "ok", 4, detail), Cell("image.decoded", 0.0, position=4)
    rule = decision.rules(_Filtered({"score": "image.decoded", "min": 1, "drop": "step"}), [cell], [drop])[0]
    assert rule["outcome"] == "dropped_step"
    known = {
        "verdict": "kept",
        "drops": [asdict(drop)],
        "edits": [],
        "reassigned": [],
        "rules": [rule],
        "duplicates": None,
        "judge": None,
    }
    lines = list(story.story({**lineage_of("x"), "filter": known, "scores": [asdict(cell)]}, width=100))
    at = next(at for at, line in enumerate(lines) if line.startswith("  image.decoded"))
    assert lines[at].endswith("at least 1       images and their text dropped")
    assert lines[at + 1] == f"      [4] 0 {detail}"


class _Filtered:
    """A filter stage that was built with one rule."""

    def __init__(self, rule: dict[str, Any]) -> None:
        self.fingerprint = {"filter": {"rules": [rule]}, "active_rules": [rule["score"]]}


def test_many_matches_are_a_line_each_and_name_the_next_command():
    match = {"document": "2" * 16, "fate": "kept", "by": "page URL", "positions": [3]}
    lines = list(
        story.matches([match] * (story.SHOWN_LOSSES + 5), "http://a/\x1b", "leaf explain ID my.yaml")
    )
    assert lines[0] == "25 documents match http://a/ "
    assert lines[1] == "  2222222222222222  kept, not rewritten yet  page URL, image [3]"
    assert lines[-2:] == ["  and 5 more; --json lists all", "next: leaf explain 2222222222222222 my.yaml"]


@given(WILD)
def test_no_line_of_a_loss_obeys_the_page(wild):
    entry = {
        "part": "p",
        "file": wild,
        "locator": wild,
        "reason": "broken_json",
        "detail": wild,
        "whole": True,
    }
    assert all(line.isprintable() for line in story.losses([entry]))


def test_many_losses_are_cut_and_counted():
    entry = {
        "part": "p",
        "file": "a.jsonl",
        "locator": "line=3",
        "reason": "broken_json",
        "detail": "no object",
        "whole": True,
    }
    lines = list(story.losses(list(itertools.repeat(entry, story.SHOWN_LOSSES + 7))))
    assert len(lines) == story.SHOWN_LOSSES + 1
    assert lines[0] == "a.jsonl line=3: ingest could not read the record, broken_json: no object"
    assert lines[-1] == "and 7 more; --json lists all"
