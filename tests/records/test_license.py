"""The Hub's license is stated only if every record and image states it; exact URLs get their SPDX name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.records.license import hub_fields, identifier, named, showable, spdx


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"CC-BY-4.0": (3, 9)}, {"license": "cc-by-4.0"}),
        ({"MIT": (1, 0), "mit": (2, 4), " Mit ": (1, 1)}, {"license": "mit"}),
        ({"CC BY-SA 4.0": (1, 1), "CC-BY-SA-4.0": (1, 1)}, {"license": "cc-by-sa-4.0"}),
        ({"ODbL-1.0": (1, 1)}, {"license": "odbl"}),
        ({"GPL-3.0-only": (1, 1), "GPL-3.0-or-later": (1, 1)}, {"license": "gpl-3.0"}),
        ({None: (3, 9)}, {"license": "unknown"}),
        (
            {"Flickr 4": (2, 2)},
            {"license": "other", "license_name": "flickr-4", "license_details": "Flickr 4"},
        ),
        (
            {"CC-BY-3.0-DE": (2, 2)},
            {"license": "other", "license_name": "cc-by-3.0-de", "license_details": "CC-BY-3.0-DE"},
        ),
        (
            {"MIT": (3, 9), None: (1, 0)},
            {
                "license": "other",
                "license_name": "mixed",
                "license_details": "MIT: 3 records, 9 images; none stated: 1 record, 0 images",
            },
        ),
        (  # every record is MIT, but one image is not
            {"MIT": (3, 8), "CC-BY-NC-4.0": (0, 1)},
            {
                "license": "other",
                "license_name": "mixed",
                "license_details": "MIT: 3 records, 8 images; CC-BY-NC-4.0: 0 records, 1 image",
            },
        ),
        (  # every record is MIT, but one image states nothing
            {"MIT": (3, 8), None: (0, 1)},
            {
                "license": "other",
                "license_name": "mixed",
                "license_details": "MIT: 3 records, 8 images; none stated: 0 records, 1 image",
            },
        ),
    ],
)
def test_license_fields_for_the_hub(counted, expected):
    assert hub_fields(counted) == expected


@pytest.mark.parametrize(
    "stated",
    [
        "other",
        "unknown",
        "Other",
        "cc",
        "bsd",
        "gpl",
        "llama2",
        "[mit]",
        "mit, apache-2.0",
        "MIT OR Apache-2.0",
    ],
)
def test_words_that_are_no_license_are_not_stated(stated):
    """A page that writes `unknown` or `other` states something, and it is neither of the Hub's states."""
    assert identifier(stated) is None
    assert not showable(stated)
    assert hub_fields({stated: (1, 1)})["license"] == "other"


def test_many_licenses_are_listed_in_one_short_line():
    counted = {f"L{number:03d}": (1000 - number, 1) for number in range(300)}
    details = hub_fields(counted)["license_details"]
    assert details.startswith("L000: 1,000 records, 1 image; ")
    assert details.endswith(
        f"; 290 others: {sum(1000 - number for number in range(10, 300)):,} records, 290 images"
    )
    assert details.count(";") == 10


@given(st.dictionaries(st.none() | st.text(), st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_whatever_is_stated_the_fields_are_short_and_plain(counted):
    fields = hub_fields(counted)
    assert re.fullmatch(r"[a-z0-9.-]{1,64}", fields.get("license_name", "x"))
    assert all(value.isprintable() or value == "" for value in fields.values())
    assert len(fields.get("license_details", "")) < 1200
    if fields["license"] not in ("other", "unknown"):
        assert {identifier(stated or "") for stated in counted} == {fields["license"]}


@pytest.mark.parametrize(
    "stated", [None, "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-SA-4.0", "all rights reserved", "", "GPL-3.0"]
)
def test_what_may_not_be_handed_on_changed_is_not_shown(stated):
    assert not showable(stated)


def test_what_may_be_shown():
    assert all(map(showable, ["CC0-1.0", "cc by-sa 4.0", "MIT", "Apache-2.0"]))


def test_spdx_spells_as_spdx_does():
    assert [spdx(name) for name in ("apache-2.0", "mit", "CC by 4.0", "odbl-1.0", "odbl", "mine")] == [
        "Apache-2.0",
        "MIT",
        "CC-BY-4.0",
        "ODbL-1.0",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("https://www.creativecommons.org/licenses/by-nc-nd/3.0/de/deed.en", "CC-BY-NC-ND-3.0-DE"),
        ("//creativecommons.org/licenses/by/2.5/legalcode", "CC-BY-2.5"),
        ("https://creativecommons.org/licenses/", "https://creativecommons.org/licenses/"),
        (
            "https://creativecommons.org.evil.example/licenses/by/4.0/",
            "https://creativecommons.org.evil.example/licenses/by/4.0/",
        ),
        ("All rights reserved", "All rights reserved"),
        (None, None),
    ],
)
def test_spdx_names_of_creative_commons_urls(stated, name):
    assert named(stated) == name
