"""Folders behind symbolic links, links that lead out of a source, and sources of the wrong kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import png

from leafinstruct.errors import SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest import stage
from leafinstruct.ingest.config import IngestConfig
from leafinstruct.ingest.origin import IngestSettings
from leafinstruct.ingest.reading import Reading
from leafinstruct.records.document import Document
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.engine.local import LocalEngine

TURNS = [{"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "A leaf."}]


def reading(**source: Any) -> Reading:
    return Reading(IngestConfig(sources=[{"name": "s", **source}]))


def jsonl(path: Path, *records: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def page(folder: Path, name: str = "a.html") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(png())
    (folder / name).write_text("<html><body><h1>Fold</h1><p>Fold it once.</p><img src=a.png></body></html>")
    return folder / name


def image_bytes(found: Reading, document: Document) -> list[Any]:
    return [fetch(image.ref, found.roots["s"]) for image in document.images]


def test_the_folder_of_a_source_may_be_a_link(tmp_path):
    page(tmp_path / "disk" / "pages")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pages").symlink_to(tmp_path / "disk" / "pages")
    found = reading(kind="html", path=str(tmp_path / "data" / "pages"))
    (document,) = found
    assert image_bytes(found, document) == [png()]


MMC4 = {"text_list": ["Fold."], "image_info": [{"image_name": "a.png", "matched_text_index": 0}]}
CHAT = {"image": "a.png", "conversations": TURNS}
STORY = {
    "images": [{"id": "a", "url_o": "http://e.org/a.png"}],
    "annotations": [
        [
            {
                "story_id": "1",
                "photo_flickr_id": "a",
                "worker_arranged_photo_order": 0,
                "original_text": "Fold.",
            }
        ]
    ],
}


@pytest.mark.parametrize("linked", ["images", "records", "both", "none"])
@pytest.mark.parametrize(("kind", "record"), [("mmc4", MMC4), ("conversations", CHAT), ("vist", STORY)])
def test_the_folder_of_images_may_be_a_link(tmp_path, kind, record, linked):
    disk, data = tmp_path / "disk", tmp_path / "data"
    data.mkdir()
    for name in ("images", "records"):
        place = disk if linked in (name, "both") else data
        (place / name).mkdir(parents=True)
        if place == disk:
            (data / name).symlink_to(disk / name)
    (data / "images" / "a.png").write_bytes(png())
    (data / "records" / ("a.json" if kind == "vist" else "a.jsonl")).write_text(json.dumps(record))
    found = reading(kind=kind, path=str(data / "records"), images=str(data / "images"))
    (document,) = found
    assert image_bytes(found, document) == [png()]


def test_images_inside_that_lead_out_are_refused_with_a_hint(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "data" / "images" / "a.png").symlink_to(tmp_path / "a.png")
    jsonl(tmp_path / "data" / "a.jsonl", MMC4)
    found = reading(kind="mmc4", path=str(tmp_path / "data"))
    (document,) = found
    (lost,) = image_bytes(found, document)
    assert (lost.reason, "copy it there" in lost.detail) == ("unsafe_path", True)


@pytest.mark.parametrize("kind", ["html", "conversations"])
def test_links_that_lead_out_of_a_folder_are_reasons_with_a_hint(tmp_path, kind):
    """Of a file and of a folder; links within the folder are no loss."""
    data, out = tmp_path / "data", tmp_path / "out"
    if kind == "html":
        page(data / "pages"), page(out, "b.html")
    else:
        jsonl(data / "pages" / "a.jsonl", CHAT), jsonl(out / "b.jsonl", CHAT)
    name = "b.html" if kind == "html" else "b.jsonl"
    (data / "more").symlink_to(out)
    (data / name).symlink_to(out / name)
    (data / "again").symlink_to(data / "pages")
    (data / ".hidden").symlink_to(out)
    found = reading(kind=kind, path=str(data))
    assert len(list(found)) == 1
    assert found.losses.reasons == {"unsafe_path": 2}
    assert {loss["file"] for loss in found.losses.listed} == {"more", name}
    assert all("copy its files" in loss["detail"] for loss in found.losses.listed)


def test_a_build_reports_a_link_once_and_again_when_it_changes(tmp_path):
    data, out = tmp_path / "data", Artifact(tmp_path / "run" / "ingest")
    for name in ("a.html", "b.html", "c.html"):
        page(data, name)
    settings = IngestSettings(
        IngestConfig(sources=[{"kind": "html", "name": "s", "path": str(data)}]), part_size=1
    )

    def reasons() -> dict[str, int]:
        with LocalEngine() as engine:
            stage.run(settings, None, out, engine)
        return dict(out.totals().reasons)

    assert reasons() == {}
    (tmp_path / "more").mkdir()
    (data / "more").symlink_to(tmp_path / "more")
    assert reasons() == {"unsafe_path": 1}
    (data / "more").unlink()
    assert reasons() == {}


def obelics(folder: Path) -> None:
    rows = {"texts": [["Fold.", None]], "images": [[None, "http://e.org/a.png"]], "general_metadata": ["{}"]}
    folder.mkdir(parents=True)
    pq.write_table(pa.table(rows), folder / "a.parquet")


@pytest.mark.parametrize(
    ("kind", "make", "other"),
    [
        ("mmc4", obelics, "obelics"),
        ("html", obelics, "obelics"),
        ("mmc4", lambda folder: jsonl(folder / "a.jsonl", CHAT), "conversations"),
        ("conversations", lambda folder: jsonl(folder / "a.jsonl", {**MMC4, "url": "u"}), "mmc4"),
        ("warc", page, "html"),
        ("obelics", lambda folder: jsonl(folder / "a.jsonl", CHAT), "conversations"),
    ],
)
def test_a_wrong_kind_says_what_the_files_look_like(tmp_path, kind, make, other):
    make(tmp_path / "data")
    settings = IngestSettings(
        IngestConfig(sources=[{"kind": kind, "name": "s", "path": str(tmp_path / "data")}]), part_size=9
    )
    with (
        pytest.raises(SourceError, match=f"source s looks like {other}; set kind: {other}"),
        LocalEngine() as engine,
    ):
        stage.run(settings, None, Artifact(tmp_path / "run" / "ingest"), engine)


def test_a_right_kind_has_no_such_hint(tmp_path):
    jsonl(tmp_path / "a.jsonl", {"text_list": []})
    settings = IngestSettings(
        IngestConfig(sources=[{"kind": "mmc4", "name": "s", "path": str(tmp_path / "a.jsonl")}]), part_size=9
    )
    with pytest.raises(SourceError) as raised, LocalEngine() as engine:
        stage.run(settings, None, Artifact(tmp_path / "run" / "ingest"), engine)
    assert "looks like" not in str(raised.value)


def test_a_subset_that_is_not_there_is_one_line_with_those_that_are(tmp_path):
    entry = {"subset": "training", "annotations": [], "duration": 1.0}
    base = {"a": entry, "b": entry, "c": {**entry, "subset": "validation"}}
    (tmp_path / "a.json").write_text(json.dumps({"database": base}))
    (tmp_path / "a.mp4").write_bytes(b"x")
    source = {"kind": "youcook2", "path": str(tmp_path / "a.json"), "videos": str(tmp_path)}
    with pytest.raises(
        SourceError, match=r"no video of the subset 'testing'; it has training \(2\), validation"
    ):
        list(reading(**source, subset="testing"))
    (tmp_path / "a.json").write_text(json.dumps({"database": {"a": {"annotations": []}}}))
    with pytest.raises(SourceError, match="it states no subset; leave `subset` out"):
        list(reading(**source, subset="training"))


def test_the_folder_of_videos_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.mp4").write_bytes(b"no video")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "videos").symlink_to(tmp_path / "disk")
    entry = {"annotations": [{"segment": [0, 1], "id": 0, "sentence": "Fold."}], "duration": 1.0}
    (tmp_path / "data" / "a.json").write_text(json.dumps({"database": {"a": entry}}))
    found = reading(
        kind="youcook2", path=str(tmp_path / "data" / "a.json"), videos=str(tmp_path / "data" / "videos")
    )
    assert list(found) == []
    assert dict(found.losses.reasons) == {"not_a_video": 1}
