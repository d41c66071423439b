"""The videos of the embedded corpus: real files, the same bytes always, and frames that show what their
sentence says."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image as Pil

from leafinstruct.images.decode import decode
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import VideoSource, YouCook2Source
from leafinstruct.ingest.readers import video, youcook2
from leafinstruct.records.document import Frame
from leafinstruct.sketchbook.documents.page import page
from leafinstruct.sketchbook.documents.plan import Settings, chunks
from leafinstruct.sketchbook.formats.write import collect_labels, write_chunk

SETTINGS = Settings(seed=7, documents=4, videos=3, image_px=64)


def written(root):
    for chunk in chunks(SETTINGS):
        write_chunk(SETTINGS, chunk, root)
    collect_labels(SETTINGS, root)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_settings_give_the_same_bytes(tmp_path):
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert first == second
    assert len([name for name in first if name.endswith(".mp4")]) == 3
    assert all(len(data) < 60_000 for name, data in first.items() if name.endswith(".mp4"))


def test_pages_do_not_depend_on_videos(tmp_path):
    assert page(SETTINGS, 2, "html") == page(Settings(seed=7, documents=4, image_px=64), 2, "html")


def test_read_as_youcook2_every_step_has_a_frame_that_is_its_image(tmp_path):
    written(tmp_path)
    source = YouCook2Source(name="s", path=str(tmp_path / "annotations.json"), videos=str(tmp_path / "video"))
    items = [
        item
        for span in youcook2.plan(source, 100, tmp_path)
        for item in youcook2.read(source, span, tmp_path)
    ]
    documents = [item for item in items if not isinstance(item, Frame)]
    labels = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    told = {label["file"]: label for label in labels if label["file"].endswith(".mp4")}
    pages = {
        f"video/{made.slug}.mp4": made for made in (page(SETTINGS, index, "video") for index in range(4, 7))
    }
    assert {document.provenance.file for document in documents} == told.keys() == pages.keys()
    for document in documents:
        made = pages[document.provenance.file]
        assert [text.text for text in document.texts] == [
            step["text"] for step in told[document.provenance.file]["steps"]
        ]
        drawn = {
            index: np.asarray(decode(drawn_image.data).resize((64, 64)), float)
            for index, drawn_image in enumerate(made.images)
        }
        for image in document.images:
            step = int(image.time // 2)
            shown = np.asarray(
                decode(fetch(image.ref, tmp_path)).resize((64, 64), Pil.Resampling.NEAREST), float
            )
            distances = {index: float(np.abs(shown - other).mean()) for index, other in drawn.items()}
            assert distances[step] == min(distances.values())
            assert distances[step] < 8  # a dissolving frame is further from both


def test_read_with_its_subtitles_it_says_the_same(tmp_path):
    written(tmp_path)
    source = VideoSource(name="s", path=str(tmp_path / "video"))
    items = [
        item for span in video.plan(source, 100, tmp_path) for item in video.read(source, span, tmp_path)
    ]
    documents = [item for item in items if not isinstance(item, Frame)]
    for document in documents:
        made = next(
            made
            for made in (page(SETTINGS, index, "video") for index in range(4, 7))
            if made.slug in document.provenance.file
        )
        assert " ".join(text.text for text in document.texts) == " ".join(
            step.text for step in made.howto.steps
        )
