"""`leaf remove --purge` in files that leaf made to read them: the embedded corpus and rows of the Hub. Other
documents keep their ids and parts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub
from ingest.test_hub_stream import dataset
from making import InlineEngine, build, recipe
from publish.searching import holding

from leafinstruct.publish.purge import run as purging
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.removals import beside, entry
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.verify import verify

pytestmark = pytest.mark.e2e

FORMATS = ["mmc4", "html", "warc", "obelics"]


def drawn(folder: Path, **more: Any) -> Path:
    """A recipe over a small embedded corpus that every text rule keeps."""
    source = {
        "kind": "sketchbook",
        "name": "book",
        "seed": 5,
        "documents": 8,
        "image_px": 32,
        "formats": FORMATS,
        "videos": 2,
        "defects": {},
        **more,
    }
    passing = {"min_words": 5, "alignment": {"model": None}, "rules": []}
    return recipe(
        folder, part_size=4, ingest={"sources": [source]}, filter=passing, llm={"provider": "offline"}
    )


def documents(path: Path, run: str = "t") -> dict[str, Document]:
    """Of a run's ingest, by id."""
    return {
        read.id: read
        for file in sorted((path.parent / "runs" / run / "ingest").rglob("documents-*"))
        for read in table.documents(file)
    }


def purge(path: Path, *entries: tuple[Any, str]) -> dict[str, Any]:
    loaded = recipes.load(path)
    return purging.purge(loaded.path, loaded.directory, [entry(*each) for each in entries], False)


def texts_of(document: Document, others: dict[str, Document]) -> list[str]:
    """Sentences of a document that no other one has."""
    known = " ".join(
        text.text for other in others.values() if other.id != document.id for text in other.texts
    )
    return [text.text for text in document.texts if len(text.text) > 20 and text.text not in known]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    path = drawn(tmp_path_factory.mktemp("drawn"))
    build(path)
    build(path, limit=2, until="ingest")
    return path


def test_a_sketchbook_document_is_left_out_of_every_format(built, tmp_path):
    shutil.copytree(built.parent, tmp_path / "w")
    path, workdir = tmp_path / "w/recipe.yaml", tmp_path / "w/runs"
    before, drops = documents(path), {}
    for kind in (*FORMATS, "video"):
        drops[kind] = next(
            read
            for read in before.values()
            if read.provenance.file.startswith(kind) and texts_of(read, before)
        )
    texts = [text for each in drops.values() for text in texts_of(each, before)]
    assert all(holding(workdir / run / "sketchbook", text) for text in texts for run in ("t", "t-limit2"))
    found = purge(
        path,
        *(
            ("id", each.id) if kind in ("warc", "video") else ("url", each.url or "")
            for kind, each in drops.items()
        ),
    )
    assert found["erased"]["documents"] == 5
    assert not any("source files" in line for line in found["remains"])
    assert [text for text in texts if holding(workdir, text)] == []
    build(path)
    build(path, limit=2, until="ingest")
    assert [text for text in texts if holding(workdir, text)] == []
    gone = {each.id for each in drops.values()}
    assert documents(path) == {name: read for name, read in before.items() if name not in gone}
    # records of a crawl are passed over
    assert Artifact(workdir / "t/ingest").totals().reasons == {"removed_by_request": 4}
    assert all(outcome.up_to_date for outcome in build(path))
    assert verify(workdir / "t", "leaf build", InlineEngine()).damages == []
    beside(path).unlink()
    build(path, until="ingest")
    assert documents(path) == before


def test_bytes_of_a_sketchbook_image_are_not_written_again(built, tmp_path):
    shutil.copytree(built.parent, tmp_path / "w")
    path, workdir = tmp_path / "w/recipe.yaml", tmp_path / "w/runs"
    image = next((workdir / "t/sketchbook/book/mmc4/images").glob("*.png")).read_bytes()
    purge(path, ("sha256", hashlib.sha256(image).hexdigest()))
    assert holding(workdir, image) == []
    build(path)
    assert holding(workdir, image) == []


STREAMED = """
import json, sys
from pathlib import Path
from making import InlineEngine, build, recipe
from publish.searching import holding
from publish.test_made import documents, purge
from leafinstruct.records.removals import beside
from leafinstruct.verify import verify
folder = Path(sys.argv[1])
source = {"kind": "hub", "name": "h", "repo": "org/name", "segments": [{"text": "caption"}, {"image": "image"}], "license": "CC0-1.0"}
path = recipe(folder, version="1.0", part_size=20, ingest={"sources": [source]}, llm={"provider": "offline"},
    filter={"min_words": 1, "min_images": 1, "rules": [], "alignment": {"model": None}})
run = folder / "runs/t@1.0"
build(path, until="filter")
build(path, limit=35, until="ingest")
before = documents(path, "t@1.0")
(gone,) = [name for name, read in before.items() if read.texts[0].text == "caption 31"]
found = {"erased": purge(path, ("id", gone))["erased"], "left": holding(folder / "runs", "caption 31")}
engine = InlineEngine()
build(path, until="filter", engine=engine)
build(path, limit=35, until="ingest")
found |= {"again": holding(folder / "runs", "caption 31"), "streamed": len(engine.reports.get("streaming org/name", ()))}
found["others"] = documents(path, "t@1.0") == {name: read for name, read in before.items() if name != gone}
found["damages"] = [str(each) for each in verify(run, "leaf build", InlineEngine()).damages]
beside(path).unlink()
build(path, until="ingest")
found["back"] = documents(path, "t@1.0") == before
print(json.dumps(found))
"""  # noqa: E501


def test_a_streamed_row_is_emptied_for_good_and_nothing_is_streamed_again(tmp_path):
    """Of a named version too, which refuses other changes of its sources; without the entry the row is
    streamed again."""
    with Hub("org/name", dataset(40)) as hub:
        variables = {**os.environ, **hub.variables(tmp_path / "home")}
        variables["PYTHONPATH"] = os.pathsep.join(
            [str(Path(__file__).parents[1]), *filter(None, [variables.get("PYTHONPATH")])]
        )
        command = [sys.executable, "-c", STREAMED, str(tmp_path)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, env=variables, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert (found["erased"]["documents"], found["erased"]["streamed rows"]) == (1, 2)
    assert found["left"] == found["again"] == found["damages"] == []
    assert (found["streamed"], found["others"], found["back"]) == (0, True, True)
