"""A page on this disk in a real browser, for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
IN_A_BROWSER = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH to look at the page with"),
]
"""Marks of a module whose tests look at pages."""
PATIENCE = 120_000  # milliseconds: a loaded machine


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        yield browser
        browser.close()


@contextmanager
def looking(browser: Any, ready: str) -> Iterator[Callable[..., Any]]:
    """Opens a page and waits for the selector `ready`; afterwards the page must have broken no rule of its
    policy, thrown nothing, and asked for nothing but itself."""
    logged: list[str] = []
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)

    def open_page(path: Path, width: int = 1280) -> Any:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.on("console", lambda message: logged.append(message.text))
        page.on("pageerror", lambda error: logged.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector(ready)
        return page

    yield open_page
    assert logged == []
    # a download is a blob of the page itself
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
