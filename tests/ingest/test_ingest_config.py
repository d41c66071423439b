"""The ingest section of a recipe: what is accepted, and the message otherwise."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from leafinstruct.ingest.config import IngestConfig, Mmc4Source, SketchbookSource
from leafinstruct.ingest.span import Span

PAGES = {"kind": "html", "name": "pages", "path": "pages/"}


def test_the_kind_selects_a_sources_class():
    found = IngestConfig.model_validate(
        {
            "sources": [
                {"kind": "mmc4", "name": "m", "path": "x"},
                {"kind": "sketchbook", "seed": 1, "documents": 9},
            ]
        }
    )
    assert [type(source) for source in found.sources] == [Mmc4Source, SketchbookSource]
    assert (found.truncated, found.sources[1].name, found.sources[1].image_px) == ("fail", "sketchbook", 128)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"sources": []}, "at least 1 item"),
        ({"sources": [PAGES, PAGES]}, "two sources are called 'pages'"),
        (
            {"sources": [{**PAGES, "kind": "htm"}]},
            "does not match any of the expected tags: 'mmc4', 'obelics', 'mint1t', 'html', 'warc', 'hub'",
        ),
        ({"sources": [{**PAGES, "name": "My pages"}]}, "should match pattern"),
        ({"sources": [{**PAGES, "images": "x"}]}, "Extra inputs are not permitted"),
        ({"sources": [{**PAGES, "path": ""}]}, "at least 1 character"),
        ({"sources": [PAGES], "truncated": "skip"}, "'fail' or 'keep'"),
        ({"sources": [{"kind": "sketchbook", "seed": 1, "documents": 0}]}, "greater than 0"),
    ],
)
def test_a_wrong_setting_is_named(section, message):
    with pytest.raises(ValidationError, match=message):
        IngestConfig.model_validate(section)


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        IngestConfig.model_validate({"sources": [PAGES]}).truncated = "keep"


def test_a_part_is_named_after_files_and_range():
    spans = [
        Span(("a",), 0, 5),
        Span(("a",), 0, 6),
        Span(("a",), 1, 5),
        Span(("b",), 0, 5),
        Span(("a", "b"), 0, 5),
        Span(("ab",), 0, 5),
    ]
    assert len({span.name for span in spans}) == len(spans)
    assert spans[0].name == "ee555d1ac5d3"  # pinned: another rule would rebuild every part of everybody
