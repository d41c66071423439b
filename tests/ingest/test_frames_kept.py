"""The file of frames: filter reads from it what ingest decoded, and no row depends on whether it is
there."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from images.videos import shade, write_video
from making import build, mmc4, png, recipe, shard_sums

from leafinstruct.images.read import stamp
from leafinstruct.images.video import frames
from leafinstruct.ingest.config import VideoSource
from leafinstruct.ingest.readers import video
from leafinstruct.records import table
from leafinstruct.records.document import Document, Frame, Ref
from leafinstruct.records.frames import frame_writer
from leafinstruct.runtime.artifact import Artifact

COLORS = [(200, 30, 30), (30, 30, 200), (30, 160, 40), (190, 180, 20)]
TEXTS = ["Draw a red sheet.", "Now draw a blue sheet.", "Then draw a green one.", "At last a yellow one."]


def clip(path: Path, first: int = 0) -> Path:
    """Two seconds of each color, with subtitles."""
    write_video(path, [shade(COLORS[(first + index // 20) % 4], index) for index in range(80)])
    cues = (
        f"{index + 1}\n00:00:0{2 * index},000 --> 00:00:0{2 * index + 2},000\n{text}\n"
        for index, text in enumerate(TEXTS)
    )
    path.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    clip(tmp_path / "videos/a.mp4")
    clip(tmp_path / "videos/b.mp4", 1)
    return recipe(
        tmp_path,
        ingest={"sources": [{"kind": "video", "name": "own", "path": "videos"}]},
        filter={"min_words": 5, "alignment": {"allow_toy": True}, "judge": {"enabled": False}},
    )


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "runs/t/ingest").rglob("frames-*.parquet"))


def made(folder: Path) -> dict[str, object]:
    """What a build made of the images: their rows in filter, and the shards."""
    images = [
        row
        for path in sorted((folder / "runs/t/filter").rglob("images-*.parquet"))
        for row in table.read(path)
    ]
    return {"images": images, **shard_sums(folder / "runs/t/shard")}


def test_filter_decodes_no_video(own, tmp_path, monkeypatch):
    build(own, until="ingest")
    rows = [row for path in kept(tmp_path) for row in table.read(path)]
    assert sorted(row["ref"].partition("#")[0] for row in rows) == ["a.mp4"] * 4 + ["b.mp4"] * 4
    monkeypatch.delattr(frames, "frame")
    build(own)
    assert {row["ref"]: row["bytes"] for row in made(tmp_path)["images"]} == {
        row["ref"]: row["bytes"] for row in rows
    }


@pytest.mark.parametrize("lost", ["all", "every second", "another video's", "order"])
def test_without_it_everything_is_the_same(own, tmp_path, lost):
    build(own)
    wanted = made(tmp_path)
    (path,) = kept(tmp_path)
    rows = [
        Frame(Ref(file=row["ref"][:5], time=float(row["ref"][8:])), row["stamp"], row["bytes"])
        for row in table.read(path)
    ]
    changed = {
        "all": [],
        "every second": rows[::2],
        "another video's": [replace(row, stamp="1 1", data=b"of a file that was replaced") for row in rows],
        "order": rows[::-1],
    }
    with frame_writer(path) as add:
        for row in changed[lost]:
            add(row)
    if lost == "all":
        path.unlink()
    for name in ("filter", "rewrite", "shard"):
        shutil.rmtree(tmp_path / "runs/t" / name)
    assert [outcome.up_to_date for outcome in build(own)] == [True, False, False, False]
    assert made(tmp_path) == wanted


def test_a_video_that_changed_is_not_shown_as_it_was(own, tmp_path):
    build(own)
    clip(tmp_path / "videos/a.mp4", 2)
    build(own)
    (path,) = kept(tmp_path)
    for row in table.read(path):
        file, _, time = row["ref"].partition("#t=")
        assert row["stamp"] == stamp(tmp_path / "videos" / file)
        assert row["bytes"] == frames.frame(tmp_path / "videos" / file, float(time))
    assert len(made(tmp_path)["images"]) == 8


def test_a_kill_before_the_report_leaves_nothing_that_is_believed(own, tmp_path, monkeypatch):
    build(own)
    wanted = made(tmp_path)

    def die(self, part, key, report, files):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Artifact, "commit", die)
        with contextlib.suppress(KeyboardInterrupt):
            build(own, "ingest.sources[0].frames={per_step: 2}")
    build(own)
    assert made(tmp_path) == wanted


def test_a_part_that_gives_no_frames_any_more_keeps_none(own, tmp_path):
    build(own)
    assert kept(tmp_path)
    (tmp_path / "videos/a.mp4").write_bytes(b"")
    write_video(tmp_path / "videos/b.mp4", [shade(COLORS[0])])
    mmc4(tmp_path / "pages", {"https://a.example/": [("Draw a red sheet and then a blue one.", png())]})
    build(own, "ingest.sources[1]={kind: mmc4, name: pages, path: pages}")
    assert [row["ref"] for path in kept(tmp_path) for row in table.read(path)] == ["b.mp4#t=0.0"]
    (tmp_path / "videos/b.mp4").write_bytes(b"")
    build(own, "ingest.sources[1]={kind: mmc4, name: pages, path: pages}")
    assert kept(tmp_path) == []


def test_a_limit_keeps_what_its_documents_show(own, tmp_path):
    build(own, limit=1)
    (path,) = (tmp_path / "runs/t-limit1/ingest").rglob("frames-*.parquet")
    (document,) = (
        item
        for file in (tmp_path / "runs/t-limit1/ingest").rglob("documents-*")
        for item in table.documents(file)
    )
    assert [row["ref"] for row in table.read(path)] == [str(image.ref) for image in document.images]


def test_a_frame_of_two_steps_is_written_once(tmp_path):
    write_video(tmp_path / "a.mp4", [shade(COLORS[0])] * 40)
    (tmp_path / "a.srt").write_text(
        "1\n00:00:00,000 --> 00:00:02,500\none.\n\n2\n00:00:00,100 --> 00:00:02,600\ntwo.\n"
    )
    source = VideoSource(name="v", path=str(tmp_path))
    items = [
        item for span in video.plan(source, 500, tmp_path) for item in video.read(source, span, tmp_path)
    ]
    given = [str(item.ref) for item in items if isinstance(item, Frame)]
    shown = [str(image.ref) for item in items if isinstance(item, Document) for image in item.images]
    assert given == list(dict.fromkeys(shown))
