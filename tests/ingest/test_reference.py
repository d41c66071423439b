"""Extraction against a reference that was written by hand from twelve real pages: what is kept, what is lost,
in which order.

Blocks are compared by their first words: every character of the content is compared in test_html.py, so that
a block cannot be cut.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

import pytest
import yaml

from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.readers import html
from leafinstruct.records.document import Document, ImageRef

REFERENCE = yaml.safe_load((Path(__file__).parent / "reference" / "pages.yaml").read_text(encoding="utf-8"))
NEVER = REFERENCE.pop("never")
KINDS = {"heading": "h", "prose": "p", "caption": "p", "list": "l", "code": "c", "table": "t"}
MARK = re.compile(r"^\s*(?:- |\d+\. )")


def beginning(kind: str, text: str) -> str:
    """A block as the reference writes it: its kind and its first four words, without colons at their ends."""
    return " ".join([kind, *(word.rstrip(":") for word in text.split()[:4])])


def wanted(page: str) -> list[str]:
    return [line if line.startswith("!") else beginning(line[0], line[2:]) for line in REFERENCE[page]]


def extracted(real: Path, page: str) -> list[str]:
    source = HtmlSource(name="h", path=str(real / "html" / page / "index.html"))
    (found,) = [
        item
        for span in html.plan(source, 9, real)
        for item in html.read(source, span, real)
        if isinstance(item, Document)
    ]
    blocks: list[str] = []
    for item in found.segments:
        if isinstance(item, ImageRef):
            blocks.append(f"! {PurePosixPath(item.ref.file or '').name}")
        elif item.kind == "list":
            starts = [
                line for number, line in enumerate(item.text.split("\n")) if number == 0 or MARK.match(line)
            ]
            blocks += [beginning("l", MARK.sub("", line)) for line in starts]
        else:
            blocks.append(beginning(KINDS[item.kind], item.text))
    return blocks


def test_the_reference_is_of_at_least_twelve_pages_and_names_images_and_texts():
    assert len(REFERENCE) >= 12
    assert sum(line.startswith("!") for page in REFERENCE for line in wanted(page)) >= 25
    assert sum(len(wanted(page)) for page in REFERENCE) >= 250


def test_precision_and_recall_over_all_pages(real):
    both = found = meant = 0
    for page in REFERENCE:
        mine, true = Counter(extracted(real, page)), Counter(wanted(page))
        both, found, meant = both + (mine & true).total(), found + mine.total(), meant + true.total()
    assert both == found, f"precision {both}/{found}"
    assert both == meant, f"recall {both}/{meant}"


@pytest.mark.parametrize("page", REFERENCE)
def test_each_page(real, page):
    mine, true = extracted(real, page), wanted(page)
    differing = [
        (mine[a:b], true[c:d])
        for tag, a, b, c, d in SequenceMatcher(None, mine, true, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    assert not differing


@pytest.mark.parametrize("page", REFERENCE)
def test_nothing_of_the_site_is_kept(real, page):
    kept = {block[2:] for block in extracted(real, page)} - {block[2:] for block in wanted(page)}
    assert not kept & {beginning("x", text)[2:] for text in NEVER}
