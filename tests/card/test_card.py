"""The card is Markdown that we write: no page writes a line of it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import build, mmc4, png, recipe
from markdown_it import MarkdownIt

from leafinstruct.card import template as cards
from leafinstruct.card.card import SHOWN
from leafinstruct.card.template import CELL, cell, paragraph, passage
from leafinstruct.errors import RecipeError

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
HOSTILE = (
    "CC0 |\n| x | 9 |\n\n# Mine\n<script>alert(1)</script> [click](https://evil.example) `a` "
    "![p](https://evil.example/p.png)"
)


@given(st.text())
def test_a_cell_is_one_line_in_which_nothing_is_markup(text):
    found = cell(text)
    assert found.isprintable()
    assert not re.search(r"[<>]", found)
    assert not re.search(r"(?<!\\)[|`*_\[\]:@$~]|\\\\", found)
    shown = html.unescape(re.sub(r"\\(.)", r"\1", found))
    plain = "".join(character if character.isprintable() else " " for character in text)
    assert shown == (plain if len(plain) <= CELL else plain[: CELL - 1] + "…")


def test_plain_names_stay_as_they_are():
    assert cell("CC-BY-SA-4.0") == "CC-BY-SA-4.0"
    assert cell("x" * 81) == "x" * 79 + "…"
    assert cell("www.evil.example") == "www\\.evil.example"


@given(
    st.text()
    | st.sampled_from(
        [
            "- x",
            "1. x",
            "\x00 + x",
            "===",
            "2) x",
            "\u2028- x",
            "    code",
            "---",
            "1986\\. x",
            "\\(x\\)",
            "| a |",
        ]
    )
)
def test_a_paragraph_is_one_run_of_text_and_opens_nothing(text):
    """Rendered as CommonMark with tables and HTML, as the Hub does: the same words, and nothing but text."""
    tokens = MARKDOWN.parse(f"> {paragraph(text, 400)}\n\nafter")
    quoted = tokens[1 : [token.type for token in tokens].index("blockquote_close")]
    assert [token.type for token in quoted] in ([], ["paragraph_open", "inline", "paragraph_close"])
    words = "".join(child.content for token in quoted for child in token.children or ())
    assert {child.type for token in quoted for child in token.children or ()} <= {"text", "text_special"}
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    assert words == plain or len(text) > 400


@given(
    st.text() | st.sampled_from(["1. a\n   - b\n2. c", "a\n---", "# a\n# b", "a\n\n    code", "<br>\n| a |"])
)
def test_a_passage_is_one_paragraph_whose_lines_are_shown(text):
    tokens = MARKDOWN.parse(f"> {passage(text, 400)}\n\nafter")
    quoted = tokens[1 : [token.type for token in tokens].index("blockquote_close")]
    assert [token.type for token in quoted] in ([], ["paragraph_open", "inline", "paragraph_close"])
    children = [child for token in quoted for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "text_special", "html_inline"}
    assert {child.content for child in children if child.type == "html_inline"} <= {"<br>"}


def test_a_list_in_a_passage_keeps_its_lines_and_indentation():
    assert (
        passage("1. a\n   - b\n\n   c\n2. d", 400)
        == "1\\. a<br>&nbsp;&nbsp;&nbsp;\\- b<br>&nbsp;&nbsp;&nbsp;c<br>2\\. d"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.03371, "0.0337"), (0, "0"), (48.0, "48"), (1510.4, "1,510"), (-0.25, "-0.25"), (123456, "123,456")],
)
def test_numbers_are_formatted(value, expected):
    assert cards.number(value) == expected


def made(
    folder: Path,
    licenses: list[str | None],
    text: str = "on the green table, please",
    **filter_section: object,
) -> Path:
    """A recipe over one source a license, one document each, two images in every document."""
    sources = []
    for number, license in enumerate(licenses):
        steps = [
            (f"Put the block {number} {text}.", png(dot=number)),
            ("Then turn it round.", png((9, 90, number), dot=30)),
        ]
        mmc4(folder / f"data{number}", {f"https://h.example/{number}": steps})
        sources.append({"kind": "mmc4", "name": f"s{number}", "path": f"data{number}", "license": license})
    return recipe(
        folder,
        ingest={"sources": sources},
        filter={
            "min_words": 1,
            "min_images": 1,
            "alignment": {"allow_toy": True},
            "rules": [],
            **filter_section,
        },
        rewrite={"tasks": ["guide"]},
        shard={"splits": {"train": 1}},
    )


def body(folder: Path) -> str:
    """The card without its front matter."""
    return (folder / "runs/t/shard/README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]


def test_a_hostile_license_stays_in_its_cell(tmp_path):
    build(made(tmp_path, ["MIT", HOSTILE]))
    # the recipe follows, whose author wrote the license, in a fence
    text = body(tmp_path).split("## Build it again")[0]
    assert [line for line in text.splitlines() if "Mine" in line] == [f"| {cell(HOSTILE)} | 1 | 2 |"]
    for harm in ("<script", "](https://evil", "\n# Mine", "![p]"):
        assert harm not in text
    assert "| MIT | 1 | 2 |" in text


def test_many_licenses_are_shown_as_the_largest_and_the_others(tmp_path):
    build(made(tmp_path, ["common", "common", *(f"L{number:02d}" for number in range(SHOWN + 4))]))
    text = (tmp_path / "runs/t/shard/README.md").read_text(encoding="utf-8")
    table = text.split("| license, as stated")[1].split("\n\n")[0].splitlines()[2:]
    assert table[0] == "| common | 2 | 4 |"
    assert table[1] == "| L00 | 1 | 2 |"
    assert table[SHOWN:] == ["| 5 others | 5 | 10 |"]


def test_the_card_counts_images_dropped_from_kept_documents(tmp_path):
    """s0 loses one image and is kept; s1 loses both and is dropped: three images were dropped, one of them
    from a kept document."""
    path = made(tmp_path, ["MIT", "MIT"])
    for image in [next((tmp_path / "data0/images").iterdir()), *(tmp_path / "data1/images").iterdir()]:
        image.write_bytes(b"no image")
    build(path)
    text = (tmp_path / "runs/t/shard/README.md").read_text(encoding="utf-8")
    table = text.split("| images dropped by (in kept and in dropped documents)")[1].split("\n\n")
    assert table[0].splitlines()[2:] == ["| `image.decoded` | 3 |"]
    assert table[1].startswith("Of these, 1 were dropped from documents that were kept")


def test_a_template_that_names_what_is_not_there_is_one_line(tmp_path):
    path = made(tmp_path, ["MIT"])
    (tmp_path / "data_cards").mkdir()
    (tmp_path / "data_cards/own.md").write_text("{{ filter.keptt }}", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"shard\.card: the template cannot be filled: .*keptt"):
        build(path, "shard.card=own")
