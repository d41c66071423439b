"""Rules on the licenses that documents and images state."""

from dataclasses import replace

import pytest
from making import document
from pydantic import ValidationError

from leafinstruct.filter.config import FilterConfig
from leafinstruct.filter.decision import Decision
from leafinstruct.records.document import Document


def page(own: str | None, *images: str | None) -> Document:
    made = document(
        "Fold it.", *(piece for at in range(len(images)) for piece in (f"!{at}", f"> caption {at}"))
    )
    given = dict(zip((image.position for image in made.images), images, strict=True))
    segments = tuple(
        replace(segment, license=given[segment.position]) if segment.position in given else segment  # type: ignore[call-arg]
        for segment in made.segments
    )
    return replace(made, segments=segments, license=own)


def decided(document: Document, **rules: object) -> Decision:
    found = Decision(document, FilterConfig.model_validate({"min_words": 1, "licenses": rules}), ())
    found.apply_licenses()
    return found


@pytest.mark.parametrize(
    "stated", ["CC-BY-4.0", "cc by 4.0", "https://creativecommons.org/licenses/by/4.0/deed.de"]
)
def test_one_license_has_many_spellings(stated):
    assert decided(page(stated), allow=["CC-BY-4.0"]).kept
    denied = decided(page(stated), deny=["cc-by-4.0"])
    assert [(drop.rule, drop.position) for drop in denied.drops] == [("license", None)]
    assert denied.drops[0].detail.endswith(", which the recipe denies")


def test_what_is_not_allowed_is_dropped_with_its_name():
    found = decided(page("All rights reserved"), allow=["CC0-1.0", "CC-BY-4.0"])
    assert [drop.detail for drop in found.drops] == [
        "the document has the license All rights reserved, and the recipe allows CC0-1.0, CC-BY-4.0"
    ]
    assert decided(page("CC-BY-3.0-DE"), allow=["CC-BY-3.0"]).drops
    assert decided(page("CC-BY-3.0-DE"), allow=["CC-BY-3.0-DE"]).kept


def test_no_license_is_kept_unless_the_recipe_drops_it():
    assert decided(page(None), allow=["CC0-1.0"]).kept
    found = decided(page(" "), allow=["CC0-1.0"], unknown="drop")
    assert [drop.detail for drop in found.drops] == ["the document states no license"]


def test_an_image_is_dropped_with_its_captions_and_its_document_stays():
    found = decided(page("CC0-1.0", "CC0-1.0", "CC-BY-NC-4.0", None), deny=["CC-BY-NC-4.0"], unknown="drop")
    assert found.kept
    assert [segment.position for segment in found.document.segments] == [0, 1, 2]
    assert [(drop.rule, drop.position, drop.detail) for drop in found.image_drops] == [
        ("license", 3, "the image has the license CC-BY-NC-4.0, which the recipe denies"),
        ("license", 5, "the image states no license"),
    ]
    found.apply([])
    assert found.kept
    few = decided(page("CC0-1.0", "CC-BY-NC-4.0"), deny=["CC-BY-NC-4.0"])
    few.apply([])
    assert [(drop.rule, drop.detail) for drop in few.drops] == [("min_images", "after images were dropped")]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"allow": ["CC-BY-4"]}, "unknown license 'CC-BY-4'; did you mean 'CC-BY-4.0'"),
        ({"deny": ["Apache-2"]}, "unknown license 'Apache-2'; did you mean 'Apache-2.0'"),
        ({"allow": ["MIT"], "deny": ["mit"]}, "mit is in allow and in deny"),
        ({"allow": []}, "at least 1 item"),
        ({"unknown": "maybe"}, "Input should be 'keep' or 'drop'"),
    ],
)
def test_a_wrong_rule_is_refused_with_the_nearest_name(rules, message):
    with pytest.raises(ValidationError, match="(?i)" + message):
        FilterConfig.model_validate({"licenses": rules})
