"""Make the screenshots of `leaf inspect` for docs/: build 300 documents of the embedded corpus, make the
page, and take two screenshots.

    python scripts/inspect_images.py [--workdir DIR]        writes docs/inspect.png and docs/inspect-phone.png

Needs `chromium` on the PATH; playwright controls it and downloads nothing. Images are reduced to 256 colors,
which makes them a third of the size.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from leafinstruct import pipeline
from leafinstruct.recipe import load as recipes
from leafinstruct.report.inspect import page as inspection
from leafinstruct.runtime.engine.local import LocalEngine

ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "pipelines" / "demo.yaml"


def main() -> None:
    """Build the corpus and the page, and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, help="Folder of runs/. Default: a temporary folder.")
    given = parser.parse_args().workdir
    with tempfile.TemporaryDirectory() as folder:
        loaded = recipes.load(RECIPE, (f"workdir={(given or Path(folder)).absolute()}",), 300)
        with LocalEngine() as engine:
            for _ in pipeline.build(loaded, engine, lambda _: None):
                pass
        page = Path(folder) / "inspect.html"
        inspection.inspect(pipeline.artifacts(loaded), page, inspection.RECORDS, lambda *_: None)
        take_screenshots(page)


def take_screenshots(path: Path) -> None:
    """Take both screenshots: a changed threshold on a desktop, light; a dropped record on a phone, dark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        desk = browser.new_page(viewport={"width": 1280, "height": 1640}, color_scheme="light")
        desk.goto(path.absolute().as_uri())
        desk.get_by_label("alignment.own at least", exact=True).fill("0.2")
        save(desk, "inspect.png")
        phone = browser.new_page(
            viewport={"width": 380, "height": 820}, device_scale_factor=2, color_scheme="dark"
        )
        phone.goto(path.absolute().as_uri())
        phone.select_option("#rule", "alignment.own")
        phone.evaluate("document.querySelector('#gallery article').scrollIntoView({ behavior: 'instant' })")
        save(phone, "inspect-phone.png")
        browser.close()


def save(page: Page, name: str) -> None:
    """Save a screenshot of the window after its charts are rendered."""
    page.wait_for_timeout(1500)
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").quantize(256).save(ROOT / "docs" / name, optimize=True)


if __name__ == "__main__":
    main()
