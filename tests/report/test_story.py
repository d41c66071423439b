"""What a person is shown of a record holds no character that a terminal would obey."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.report import story

WILD = st.text(min_size=1, max_size=200)


@given(st.text(), st.integers(1, 50))
def test_printable_is_one_line_of_at_most_its_limit(text, limit):
    found = story.printable(text, limit)
    assert found.isprintable()
    assert len(found) <= limit
    assert story.printable(text) == text or not text.isprintable()
    assert len(story.printable(text)) == len(text)


def test_escapes_overrides_and_broken_surrogates_are_spaces():
    assert story.printable("a\x1b[31mb\u202ec\udcffd\x9be\nf") == "a [31mb c d e f"


def told(wild: str, example: str | None) -> dict[str, Any]:
    """A story in which everything that a file may hold is `wild`."""
    drop = {"rule": "text.links", "position": None, "value": 9.0, "threshold": 2.0, "state": "ok", "detail": wild}
    picture = {
        "url": wild + "!",
        "license": wild,
        "found": {"format": None, "width": None, "height": None, "reason": wild},
        "fetch": {"sha256": None, "status": 404, "state": "ok", "reason": wild, "at": wild, "final_url": wild, "url": wild, "attempts": 1},
    }
    turns = [{"role": "user", "parts": [wild, wild]}]
    return {
        "document": "0" * 16,
        "source": {"name": wild, "url": wild, "license": wild, "file": wild, "locator": wild},
        "part": wild,
        "segments": [
            {"position": 0, "kind": "prose", "time": None, "role": None, "text": wild},
            {"position": 1, "kind": "picture", "time": 2.5, "role": "user", "ref": wild, "alt": wild, **picture},
        ],
        "filter": {"verdict": "dropped", "drops": [drop]},
        "scores": [{"name": "judge.text_quality", "position": None, "value": None, "state": "refused", "detail": wild}],
        "rewrite": {"example": example, "task": "guide", "turns": turns, "models": [{"identity": wild}], "drops": [drop]},
        "shard": None,
    }


@given(WILD, st.sampled_from([None, "1" * 16]))
def test_no_line_of_a_story_obeys_the_page(wild, example):
    for line in story.story(told(wild, example)):
        assert line.isprintable()
        assert len(line) < 500


def test_a_picture_is_told_with_its_moment_its_licence_and_how_it_was_fetched():
    fetch = {
        "sha256": "0",
        "status": 200,
        "size": 34_000,
        "at": "2026-01-02T03:04:05+00:00",
        "final_url": None,
        "url": "http://a/",
        "attempts": 2,
    }
    found = {"format": "PNG", "width": 64, "height": 48, "reason": ""}
    segment = {"position": 3, "kind": "picture", "time": 2.5, "role": None, "ref": "a.mp4#t=2.5", "alt": "", "url": "http://a/"}
    lines = list(story.story({**told("x", None), "segments": [{**segment, "license": "CC0-1.0", "found": found, "fetch": fetch}]}))[3:8]
    assert lines == [
        "  [3] picture at 2.500 s: a.mp4#t=2.5",
        "      address http://a/",
        "      licence CC0-1.0",
        "      found: PNG, 64 x 48 pixels",
        "      fetched 2026-01-02T03:04:05+00:00 from http://a/: 200, 34,000 bytes; tries 2",
    ]


@given(WILD)
def test_no_line_of_a_loss_obeys_the_page(wild):
    entry = {"part": "p", "file": wild, "locator": wild, "reason": "broken_json", "detail": wild, "whole": True}
    assert all(line.isprintable() for line in story.losses([entry]))


def test_many_losses_are_cut_and_counted():
    entry = {"part": "p", "file": "a.jsonl", "locator": "line=3", "reason": "broken_json", "detail": "no object", "whole": True}
    lines = list(story.losses(list(itertools.repeat(entry, story.SHOWN_LOSSES + 7))))
    assert len(lines) == story.SHOWN_LOSSES + 1
    assert lines[0] == "a.jsonl line=3: ingest could not read the record, broken_json: no object"
    assert lines[-1] == "and 7 more; --json lists all"
