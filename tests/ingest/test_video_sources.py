"""Videos with subtitles and YouCook2: steps with their frames, exact times, reasons for everything that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import build, recipe, rows
from pictures.films import film, shade, sound

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.ingest import video, youcook2
from leafinstruct.ingest.config import Frames, VideoSource, YouCook2Source
from leafinstruct.pictures.read import fetch
from leafinstruct.records.document import Document, Frame, Image, Rejected, Text

COLOURS = [(200, 30, 30), (30, 30, 200), (30, 160, 40), (190, 180, 20)]


def clip(path: Path, seconds: int = 8) -> Path:
    """Two seconds of each colour."""
    return film(path, [shade(COLOURS[index // 20 % 4], index) for index in range(10 * seconds)])


def subtitles(path: Path, *said: str, length: float = 2.0) -> None:
    cues = (f"{index + 1}\n{stamp(index * length)} --> {stamp((index + 1) * length)}\n{text}\n" for index, text in enumerate(said))
    path.write_text("\n".join(cues), encoding="utf-8")


def stamp(seconds: float) -> str:
    return f"00:00:{int(seconds):02d},{round(seconds % 1 * 1000):03d}"


def videos(folder: Path, part_size: int = 500, **settings: Any) -> list[Document | Rejected]:
    source = VideoSource(name="v", path=str(folder), **settings)
    spans = video.plan(source, part_size, folder / "cache")
    return [item for span in spans for item in video.read(source, span, folder / "cache") if not isinstance(item, Frame)]


def cooked(folder: Path, database: Any, **settings: Any) -> list[Document | Rejected]:
    (folder / "annotations.json").write_text(json.dumps({"database": database}), encoding="utf-8")
    source = YouCook2Source(name="y", path=str(folder / "annotations.json"), videos=str(folder), **settings)
    spans = youcook2.plan(source, 500, folder)
    return [item for span in spans for item in youcook2.read(source, span, folder) if not isinstance(item, Frame)]


def reasons(items: list[Document | Rejected]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejected)]


def test_each_step_is_its_frames_and_then_its_text(tmp_path):
    clip(tmp_path / "a.mp4")
    subtitles(tmp_path / "a.srt", "Red.", "Blue.", "Green.", "Yellow.")
    (page,) = videos(tmp_path)
    assert [type(item).__name__ for item in page.segments] == ["Image", "Text"] * 4
    assert [item.position for item in page.segments] == list(range(8))
    assert [(item.text, item.time) for item in page.texts] == [("Red.", 0.0), ("Blue.", 2.0), ("Green.", 4.0), ("Yellow.", 6.0)]
    for index, image in enumerate(page.images):
        assert image.ref.file == "a.mp4"
        assert image.time == image.ref.time
        assert 2 * index <= image.time < 2 * index + 2
        assert isinstance(fetch(image.ref, tmp_path), bytes)
    assert (page.provenance.file, page.provenance.locator) == ("a.mp4", "")


def test_which_subtitles_are_taken(tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        clip(tmp_path / f"{name}.mp4", 2)
    subtitles(tmp_path / "a.srt", "plain"), subtitles(tmp_path / "a.en.srt", "english")
    subtitles(tmp_path / "b.en.srt", "english")
    subtitles(tmp_path / "c.en.srt", "english"), subtitles(tmp_path / "c.de.srt", "deutsch")
    subtitles(tmp_path / "d.srt", "srt"), (tmp_path / "d.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:02.000\nvtt\n")

    def said(**settings: Any) -> dict[str, str]:
        return {
            item.provenance.file[0] if isinstance(item, Document) else item.file[0]: item.texts[0].text
            if isinstance(item, Document)
            else item.reason
            for item in videos(tmp_path, **settings)
        }

    assert said() == {"a": "plain", "b": "english", "c": "several_subtitles", "d": "vtt", "e": "no_subtitles"}
    assert said(language="en") == {"a": "english", "b": "english", "c": "english", "d": "vtt", "e": "no_subtitles"}


def test_speech_without_its_package_names_the_cure(tmp_path):
    pytest.importorskip("av")
    if __import__("importlib.util").util.find_spec("faster_whisper"):
        pytest.skip("faster-whisper is installed here")
    clip(tmp_path / "a.mp4", 2)
    with pytest.raises(RecipeError, match=r"pip install 'leafinstruct\[speech\]'"):
        videos(tmp_path, speech={"model": "tiny"})


def test_what_is_wrong_with_a_video_is_its_reason(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    (tmp_path / "none.mp4").write_bytes(b"")
    sound(tmp_path / "sound.mp4")
    cut = clip(tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(cut[: len(cut) // 2])
    clip(tmp_path / "late.mp4", 2)
    for name in ("page", "none", "sound", "cut", "late"):
        subtitles(tmp_path / f"{name}.srt", "one", "two")
    (tmp_path / "late.srt").write_text("1\n00:01:00,000 --> 00:01:02,000\nafter the end\n")
    items = videos(tmp_path, part_size=1)
    assert {item.file: item.reason for item in items if isinstance(item, Rejected) and item.whole} == {
        "page.mp4": "not_a_video",
        "none.mp4": "empty",
        "sound.mp4": "no_video_stream",
        "cut.mp4": "truncated",
        "late.mp4": "no_cues",
    }


def test_a_longer_video_is_several_documents(tmp_path):
    clip(tmp_path / "a.mp4")
    subtitles(tmp_path / "a.srt", *"abcdefgh", length=1.0)
    pages = videos(tmp_path, frames=Frames(min_seconds=0, max_steps=3))
    assert [page.provenance.locator for page in pages] == ["steps=1-3", "steps=4-6", "steps=7-8"]
    assert len({page.id for page in pages}) == 3


def test_a_part_holds_few_videos_and_an_added_one_leaves_the_others_alone(tmp_path):
    for index in range(12):
        (tmp_path / f"{index}.mp4").write_bytes(b"x")
        (tmp_path / f"{index}.srt").write_text("x")
    source = VideoSource(name="v", path=str(tmp_path))
    before = {span.name for span in video.plan(source, 100, tmp_path)}
    assert all(span.stop <= 2 and len(span.files) == 2 * span.stop for span in video.plan(source, 100, tmp_path))
    (tmp_path / "new.mp4").write_bytes(b"x")
    after = {span.name for span in video.plan(source, 100, tmp_path)}
    assert len(before - after) <= 1
    assert len(after - before) <= 2


def entry(*annotations: tuple[Any, Any], subset: str = "training") -> dict[str, Any]:
    return {
        "duration": 8.0,
        "subset": subset,
        "recipe_type": "1",
        "video_url": "https://videos.example.org/watch?v=a",
        "annotations": [{"segment": segment, "id": index, "sentence": said} for index, (segment, said) in enumerate(annotations)],
    }


def test_annotated_segments_are_steps_in_the_order_of_time(tmp_path):
    clip(tmp_path / "a.mp4")
    (page,) = cooked(tmp_path, {"a": entry(([4.0, 6.0], "then green"), ([0, 2], "first red"), ([2, 4], "now blue"))}, license="CC0-1.0")
    assert [item.text for item in page.texts] == ["first red", "now blue", "then green"]
    assert (page.url, page.license, page.images[0].license) == ("https://videos.example.org/watch?v=a", "CC0-1.0", "CC0-1.0")
    assert len(page.images) == 3


def test_what_is_wrong_with_annotations_is_a_piece_and_the_video_goes_on(tmp_path):
    clip(tmp_path / "a.mp4")
    wrong = [
        ([3, 3], "no length"),
        ([5, 4], "backwards"),
        ([20, 22], "late"),
        ([0, 2], None),
        ("x", "y"),
        ([0], "y"),
        ([float("inf"), 3], "y"),
        ([True, 3], "y"),
    ]
    items = cooked(tmp_path, {"a": entry(([0, 2], "red"), ([6, 99], "to the end"), *wrong)})
    assert isinstance(items[0], Document)
    assert [item.text for item in items[0].texts] == ["red", "to the end"]
    assert sorted(reasons(items)) == ["bad_annotation"] * 4 + [
        "no_sentence",
        "segment_past_end",
        "zero_length_segment",
        "zero_length_segment",
    ]
    assert not any(item.whole for item in items[1:])


def test_videos_that_are_not_there_and_subsets(tmp_path):
    clip(tmp_path / "a.mp4", 2)
    database = {"a": entry(([0, 2], "red")), "b": entry(([0, 2], "red")), "c": entry(([0, 2], "x"), subset="validation"), "d": 3}
    items = cooked(tmp_path, database)
    assert [item.provenance.file for item in items if isinstance(item, Document)] == ["a.mp4"]
    assert [(item.reason, item.locator) for item in items if isinstance(item, Rejected)] == [
        ("no_video", f"video={name}") for name in "bcd"
    ]
    assert [item.locator for item in cooked(tmp_path, database, subset="validation")] == ["video=c"]


def test_of_several_files_of_a_video_the_first_by_name_is_read_and_the_others_are_told(tmp_path):
    (tmp_path / "new").mkdir()
    for name in ("a.webm", "a.mp4", "new/a.mkv"):
        clip(tmp_path / name, 2)
    items = cooked(tmp_path, {"a": entry(([0, 2], "red"))})
    assert [item.provenance.file for item in items if isinstance(item, Document)] == ["a.mp4"]
    told = [item for item in items if isinstance(item, Rejected)]
    assert [(item.file, item.reason, item.whole) for item in told] == [
        ("a.webm", "second_file", False),
        ("new/a.mkv", "second_file", False),
    ]
    assert told[0].detail == "a.mp4 is read for the same video; keep the one of them that you mean"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"database": []}', '{"database": {}}', "[" * 200_000, "nonsense"])
def test_annotations_that_are_none_name_the_file(tmp_path, text):
    (tmp_path / "annotations.json").write_text(text)
    source = YouCook2Source(name="y", path=str(tmp_path / "annotations.json"), videos=str(tmp_path))
    with pytest.raises(SourceError, match="annotations"):
        youcook2.plan(source, 10, tmp_path)


def test_a_video_annotated_twice_is_told_not_lost(tmp_path):
    clip(tmp_path / "a.mp4", 2)
    one = json.dumps(entry(([0, 2], "red")))
    (tmp_path / "annotations.json").write_text(f'{{"database": {{"a": {one}, "a": {one}}}}}')
    source = YouCook2Source(name="y", path=str(tmp_path / "annotations.json"), videos=str(tmp_path))
    with pytest.raises(SourceError, match="the key 'a' stands twice in one object; keep one of them"):
        youcook2.plan(source, 10, tmp_path)


def test_a_build_from_videos_keeps_the_time_of_every_frame(tmp_path):
    clip(tmp_path / "a.mp4")
    subtitles(tmp_path / "a.srt", "Draw a red sheet.", "Now draw a blue sheet.", "Then draw a green one.", "At last a yellow one.")
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "video", "name": "own", "path": "a.mp4", "license": "CC0-1.0"}]},
        filter={"min_words": 5, "alignment": {"allow_toy": True}, "judge": {"enabled": False}},
    )
    build(path)
    (row,) = rows(tmp_path / "runs" / "t" / "shard")
    assert len(row["images"]) == 4
    for index, info in enumerate(row["image_info"]):
        assert 2 * index <= info["frame_time"] < 2 * index + 2
        assert info["ref"] == f"a.mp4#t={info['frame_time']!r}"
        assert (info["width"], info["height"], info["license"]) == (96, 64, "CC0-1.0")
    assert all(outcome.stood for outcome in build(path))


def test_the_real_videos(real, tmp_path):
    source = VideoSource(name="v", path=str(real / "video"), license="see README")
    pages = [item for span in video.plan(source, 500, tmp_path) for item in video.read(source, span, tmp_path)]
    counts = {page.provenance.file: (len(page.images), len(page.texts)) for page in pages if isinstance(page, Document)}
    assert counts == {"flower.mp4": (2, 4), "plotter-demo.mp4": (5, 5), "stream-of-water.mp4": (1, 3)}
    annotated = YouCook2Source(
        name="y", path=str(real / "video" / "annotations.json"), videos=str(real / "video"), frames=Frames(min_seconds=0.5)
    )
    cooked_pages = [item for span in youcook2.plan(annotated, 500, tmp_path) for item in youcook2.read(annotated, span, tmp_path)]
    assert {page.provenance.file: (len(page.images), len(page.texts)) for page in cooked_pages if isinstance(page, Document)}[
        "flower.mp4"
    ] == (4, 4)
    assert all(isinstance(item, (Image, Text)) for page in cooked_pages if isinstance(page, Document) for item in page.segments)
