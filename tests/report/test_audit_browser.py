"""The page of an audit in a real browser: documents are labeled with the keyboard, and what is saved is read
as a file of labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import making
import pytest
from report.browsing import IN_A_BROWSER, chromium, looking
from report.looking import hostile, make

from leafinstruct.evaluate import audit, labels
from leafinstruct.report.audit import page as auditing
from leafinstruct.report.audit import sample as samples
from leafinstruct.report.run import Run

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(browser) -> Iterator[Any]:
    with looking(browser, "#document > *") as look:
        yield look


@pytest.fixture
def page_file(tmp_path) -> Path:
    documents = [making.document(f"text {at}", f"!p{at}", file=f"{at}.html") for at in range(6)]
    make(tmp_path / "run", documents, until="filter")
    auditing.audit(Run(tmp_path / "run"), tmp_path / "audit.html", 6, 0, True, lambda *_: None)
    return tmp_path / "audit.html"


def here(page: Any) -> str:
    return str(page.get_attribute("#document article", "data-id"))


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.keyboard.press("s")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_three_documents_are_labeled_with_the_keyboard_and_saved(look, page_file, tmp_path):
    page = look(page_file)
    order = [one.id for one in samples.read(samples.beside(page_file)).documents]
    page.keyboard.press("k")  # keep, and go on
    assert here(page) == order[1]
    page.keyboard.press("d")  # drop; the reason follows
    assert here(page) == order[1]
    page.keyboard.press("5")
    assert here(page) == order[2]
    page.keyboard.press("d")
    page.keyboard.press("r")
    page.keyboard.type("kd? \u201equoted\u201c <b>")  # typed, not obeyed
    page.keyboard.press("Enter")
    assert here(page) == order[3]
    assert page.locator("#count").inner_text() == "Document 4 of 6 · 3 labeled"
    page.keyboard.press("s")  # no name yet: asks for it
    assert page.evaluate("document.activeElement.id") == "annotator"
    page.keyboard.type("  Ann\u00a0 Öz ")
    page.keyboard.press("Escape")
    path = saved(page, tmp_path)
    assert path.name == "ann-öz.jsonl"
    found = labels.read(path)
    said = [(label.id, label.subject, label.aspect, label.value, label.annotator) for label in found]
    assert said == [
        (order[0], "document", "keep", "keep", "Ann Öz"),
        (order[1], "document", "keep", "drop", "Ann Öz"),
        (order[1], "document", "reason", "images do not fit the text", "Ann Öz"),
        (order[2], "document", "keep", "drop", "Ann Öz"),
        (order[2], "document", "reason", "kd? \u201equoted\u201c <b>", "Ann Öz"),
    ]
    assert audit.results(samples.read(samples.beside(page_file)), found).labeled == 3


def test_answers_are_changed_taken_back_and_kept_when_the_page_is_closed(look, page_file, tmp_path):
    page = look(page_file)
    page.get_by_label("Your name").fill("ben")
    page.locator("#count").click()
    for key in ("k", "k", "3", "ArrowLeft", "k", "b", "b", "x", "u"):
        page.keyboard.press(key)
    # k, k, and a drop that became a keep; then the second answer was taken back
    order = [one.id for one in samples.read(samples.beside(page_file)).documents]
    assert here(page) == order[1]
    page.close()
    page = look(page_file)
    assert here(page) == order[1]
    assert page.get_by_label("Your name").input_value() == "ben"
    assert page.locator("#count").inner_text() == "Document 2 of 6 · 2 labeled"
    found = labels.read(saved(page, tmp_path))
    assert [(label.id, label.aspect, label.value) for label in found] == [
        (order[0], "keep", "keep"),
        (order[2], "keep", "keep"),
    ]
    for _ in range(6):
        page.keyboard.press("n")
    assert "4 documents have no answer yet" in page.locator("#document").inner_text()
    page.get_by_role("button", name="Go to the first of them").click()
    assert here(page) == order[1]


def test_it_works_with_buttons_on_a_telephone(look, page_file):
    page = look(page_file, width=390)
    page.get_by_role("button", name="Drop").click()
    assert page.locator("#drop").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="spam or advertising").click()
    page.get_by_role("button", name="Keep").click()
    assert page.locator("#count").inner_text() == "Document 3 of 6 · 2 labeled"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Keys and help").click()
    assert page.locator("#help").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_hostile_page_is_shown_and_not_obeyed(look, tmp_path):
    for blind in (False, True):
        hostile(tmp_path / f"run-{blind}")
        run = Run(tmp_path / f"run-{blind}")
        auditing.audit(run, tmp_path / "page.html", 30, 0, blind, lambda *_: None)
        page = look(tmp_path / "page.html")
        for _ in range(29):
            page.keyboard.press("n")
            assert page.evaluate("window.hit") is None
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280
            hrefs = page.eval_on_selector_all("a[href]", "found => found.map(element => element.protocol)")
            assert set(hrefs) <= {"https:", "file:"}
        assert page.locator("#document img").count() == 1
        assert (page.locator(".badge").count() == 0) == blind
