"""Videos with subtitles and YouCook2: steps with their frames, exact times, reasons for everything that is
wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from images.videos import shade, sound, write_video
from making import build, recipe, rows

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.images.read import fetch
from leafinstruct.ingest.config import Frames, VideoSource, YouCook2Source
from leafinstruct.ingest.readers import video, youcook2
from leafinstruct.records.document import Document, Frame, ImageRef, Rejected, Text

COLORS = [(200, 30, 30), (30, 30, 200), (30, 160, 40), (190, 180, 20)]


def clip(path: Path, seconds: int = 8) -> Path:
    """Two seconds of each color."""
    return write_video(path, [shade(COLORS[index // 20 % 4], index) for index in range(10 * seconds)])


def subtitles(path: Path, *said: str, length: float = 2.0) -> None:
    cues = (
        f"{index + 1}\n{stamp(index * length)} --> {stamp((index + 1) * length)}\n{text}\n"
        for index, text in enumerate(said)
    )
    path.write_text("\n".join(cues), encoding="utf-8")


def stamp(seconds: float) -> str:
    return f"00:00:{int(seconds):02d},{round(seconds % 1 * 1000):03d}"


def videos(folder: Path, part_size: int = 500, **settings: Any) -> list[Document | Rejected]:
    source = VideoSource(name="v", path=str(folder), **settings)
    spans = video.plan(source, part_size, folder / "cache")
    return [
        item
        for span in spans
        for item in video.read(source, span, folder / "cache")
        if not isinstance(item, Frame)
    ]


def cooked(folder: Path, database: Any, **settings: Any) -> list[Document | Rejected]:
    (folder / "annotations.json").write_text(json.dumps({"database": database}), encoding="utf-8")
    source = YouCook2Source(name="y", path=str(folder / "annotations.json"), videos=str(folder), **settings)
    spans = youcook2.plan(source, 500, folder)
    return [
        item for span in spans for item in youcook2.read(source, span, folder) if not isinstance(item, Frame)
    ]


def reasons(items: list[Document | Rejected]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Rejected)]


def test_each_step_is_its_frames_and_then_its_text(tmp_path):
    clip(tmp_path / "a.mp4")
    subtitles(tmp_path / "a.srt", "Red.", "Blue.", "Green.", "Yellow.")
    (page,) = videos(tmp_path)
    assert [type(item).__name__ for item in page.segments] == ["ImageRef", "Text"] * 4
    assert [item.position for item in page.segments] == list(range(8))
    assert [(item.text, item.time) for item in page.texts] == [
        ("Red.", 0.0),
        ("Blue.", 2.0),
        ("Green.", 4.0),
        ("Yellow.", 6.0),
    ]
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
    (
        subtitles(tmp_path / "d.srt", "srt"),
        (tmp_path / "d.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:02.000\nvtt\n"),
    )

    def chosen(**settings: Any) -> dict[str, str]:
        return {
            item.provenance.file[0] if isinstance(item, Document) else item.file[0]: item.texts[0].text
            if isinstance(item, Document)
            else item.reason
            for item in videos(tmp_path, **settings)
        }

    assert chosen() == {
        "a": "plain",
        "b": "english",
        "c": "several_subtitles",
        "d": "vtt",
        "e": "no_subtitles",
    }
    assert chosen(language="en") == {
        "a": "english",
        "b": "english",
        "c": "english",
        "d": "vtt",
        "e": "no_subtitles",
    }


def test_a_narrower_language_is_found_and_what_its_file_loses_is_a_piece(tmp_path):
    clip(tmp_path / "a.mp4", 6)
    subtitles(tmp_path / "a.en.forced.srt", "forced")
    subtitles(tmp_path / "a.de.srt", "deutsch")
    subtitles(tmp_path / "a.en-US.srt", "Set the oven to\n180.", "lost", r'Write "a\nb".')
    text = (tmp_path / "a.en-US.srt").read_text()
    (tmp_path / "a.en-US.srt").write_text(text.replace("00:00:02,000 -->", "00:00:O2,000 -->"))
    page, lost = videos(tmp_path, language="en")
    assert isinstance(page, Document)
    assert [item.text for item in page.texts] == ["Set the oven to 180.", r'Write "a\nb".']
    assert isinstance(lost, Rejected)
    assert (lost.file, lost.reason, lost.whole) == ("a.mp4", "bad_time", False)
    assert "'lost'" in lost.detail


def test_speech_without_its_package_names_the_hint(tmp_path):
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
    assert all(
        span.stop <= 2 and len(span.files) == 2 * span.stop for span in video.plan(source, 100, tmp_path)
    )
    (tmp_path / "new.mp4").write_bytes(b"x")
    after = {span.name for span in video.plan(source, 100, tmp_path)}
    assert len(before - after) <= 1
    assert len(after - before) <= 2


def entry(*annotations: tuple[Any, Any], subset: str = "training", duration: float = 8.0) -> dict[str, Any]:
    return {
        "duration": duration,
        "subset": subset,
        "recipe_type": "1",
        "video_url": "https://videos.example.org/watch?v=a",
        "annotations": [
            {"segment": segment, "id": index, "sentence": said}
            for index, (segment, said) in enumerate(annotations)
        ],
    }


def test_annotated_segments_are_steps_in_the_order_of_time(tmp_path):
    clip(tmp_path / "a.mp4")
    (page,) = cooked(
        tmp_path,
        {"a": entry(([4.0, 6.0], "then green"), ([0, 2], "first red"), ([2, 4], "now blue"))},
        license="CC0-1.0",
    )
    assert [item.text for item in page.texts] == ["first red", "now blue", "then green"]
    assert (page.url, page.license, page.images[0].license) == (
        "https://videos.example.org/watch?v=a",
        "CC0-1.0",
        "CC0-1.0",
    )
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
    database = {
        "a": entry(([0, 2], "red"), duration=2.0),
        "b": entry(([0, 2], "red")),
        "c": entry(([0, 2], "x"), subset="validation"),
        "d": 3,
    }
    items = cooked(tmp_path, database)
    assert [item.provenance.file for item in items if isinstance(item, Document)] == ["a.mp4"]
    assert [(item.reason, item.locator) for item in items if isinstance(item, Rejected)] == [
        ("no_video", f"video={name}") for name in "bcd"
    ]
    assert [item.locator for item in cooked(tmp_path, database, subset="validation")] == ["video=c"]


def test_of_several_files_of_a_video_the_first_by_name_is_read_and_the_others_are_reported(tmp_path):
    (tmp_path / "new").mkdir()
    for name in ("a.webm", "a.mp4", "new/a.mkv"):
        clip(tmp_path / name, 2)
    items = cooked(tmp_path, {"a": entry(([0, 2], "red"), duration=2.0)})
    assert [item.provenance.file for item in items if isinstance(item, Document)] == ["a.mp4"]
    losses = [item for item in items if isinstance(item, Rejected)]
    assert [(item.file, item.reason, item.whole) for item in losses] == [
        ("a.webm", "second_file", False),
        ("new/a.mkv", "second_file", False),
    ]
    assert losses[0].detail == "a.mp4 is read for the same video; remove the one that you do not want"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"database": []}', '{"database": {}}', "[" * 200_000, "nonsense"]
)
def test_annotations_that_are_none_name_the_file(tmp_path, text):
    (tmp_path / "annotations.json").write_text(text)
    source = YouCook2Source(name="y", path=str(tmp_path / "annotations.json"), videos=str(tmp_path))
    with pytest.raises(SourceError, match="annotations"):
        youcook2.plan(source, 10, tmp_path)


def test_a_video_annotated_twice_is_reported_not_lost(tmp_path):
    clip(tmp_path / "a.mp4", 2)
    one = json.dumps(entry(([0, 2], "red")))
    (tmp_path / "annotations.json").write_text(f'{{"database": {{"a": {one}, "a": {one}}}}}')
    source = YouCook2Source(name="y", path=str(tmp_path / "annotations.json"), videos=str(tmp_path))
    with pytest.raises(SourceError, match="the key 'a' is repeated in one object; keep one of them"):
        youcook2.plan(source, 10, tmp_path)


def test_a_build_from_videos_keeps_the_time_of_every_frame(tmp_path):
    clip(tmp_path / "a.mp4")
    subtitles(
        tmp_path / "a.srt",
        "Draw a red sheet.",
        "Now draw a blue sheet.",
        "Then draw a green one.",
        "At last a yellow one.",
    )
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
    assert all(outcome.up_to_date for outcome in build(path))


def test_the_real_videos(real, tmp_path):
    source = VideoSource(name="v", path=str(real / "video"), license="see README")
    pages = [
        item for span in video.plan(source, 500, tmp_path) for item in video.read(source, span, tmp_path)
    ]
    counts = {
        page.provenance.file: (len(page.images), len(page.texts))
        for page in pages
        if isinstance(page, Document)
    }
    assert counts == {"flower.mp4": (2, 4), "plotter-demo.mp4": (5, 5), "stream-of-water.mp4": (1, 3)}
    annotated = YouCook2Source(
        name="y", path=str(real / "video" / "annotations.json"), videos=str(real / "video")
    )
    cooked_pages = [
        item
        for span in youcook2.plan(annotated, 500, tmp_path)
        for item in youcook2.read(annotated, span, tmp_path)
    ]
    assert {
        page.provenance.file: (len(page.images), len(page.texts))
        for page in cooked_pages
        if isinstance(page, Document)
    } == {"flower.mp4": (4, 4), "plotter-demo.mp4": (5, 5), "stream-of-water.mp4": (3, 3)}
    assert not any(isinstance(item, Rejected) for item in [*pages, *cooked_pages])
    assert all(
        isinstance(item, (ImageRef, Text))
        for page in cooked_pages
        if isinstance(page, Document)
        for item in page.segments
    )


def outline(page: Document) -> list[str]:
    """A line a segment: a text, or the time of a frame and the text that owns it. Each frame's owner is
    stated."""
    assert all(image.owner_found == "stated" for image in page.images)
    owners = {text.position: text.text for text in page.texts}
    return [
        item.text if isinstance(item, Text) else f"{item.time:.1f} of {owners[item.owner]}"
        for item in page.segments
    ]


def intervals(page: Document, said: dict[str, tuple[float, float]]) -> bool:
    """Whether each frame is of the sentence that follows, and of that sentence's own interval."""
    owners = {text.position: text.text for text in page.texts}
    of = [(image, said[owners[image.owner]]) for image in page.images]
    between = [page.segments[image.position + 1 : image.owner] for image in page.images]
    return all(start <= image.time < end for image, (start, end) in of) and all(
        isinstance(item, ImageRef) for some in between for item in some
    )


def test_annotated_segments_are_not_merged_by_default_and_subtitles_are(tmp_path):
    clip(tmp_path / "a.mp4", 4)
    subtitles(tmp_path / "a.srt", "one.", "two.", "three.", "four.", length=1.0)
    annotated = entry(
        *(([index, index + 1], text) for index, text in enumerate(("one.", "two.", "three.", "four."))),
        duration=4.0,
    )
    (page,) = cooked(tmp_path, {"a": annotated})
    assert [type(item).__name__ for item in page.segments] == ["ImageRef", "Text"] * 4
    (page,) = cooked(tmp_path, {"a": annotated}, frames={"per_step": 2})
    # another key of frames leaves the default as it is
    assert len({image.owner for image in page.images}) == 4
    (merged,) = videos(tmp_path)
    assert (len(merged.images), len(merged.texts)) == (2, 4)
    (merged,) = cooked(tmp_path, {"a": annotated}, frames=Frames(min_seconds=2))
    assert (len(merged.images), len(merged.texts)) == (2, 4)
    assert YouCook2Source(name="y", path="a", videos="b").frames.min_seconds == 0
    assert VideoSource(name="v", path="a").frames.min_seconds == 2


@pytest.mark.parametrize("per_step", [1, 2, 3, 4])
def test_a_frame_of_a_merged_step_is_directly_before_the_sentence_it_shows(tmp_path, per_step):
    write_video(tmp_path / "a.mp4", [shade(COLORS[index // 10 % 4], index) for index in range(40)])
    subtitles(tmp_path / "a.srt", "one.", "two.", "three.", "four.", length=1.0)
    (page,) = videos(tmp_path, frames=Frames(min_seconds=9, per_step=per_step))
    said = {
        text: (float(index), index + 1.0) for index, text in enumerate(("one.", "two.", "three.", "four."))
    }
    assert intervals(page, said)
    assert len(page.images) == per_step
    assert [(text.text, text.time) for text in page.texts] == [
        (text, start) for text, (start, _) in said.items()
    ]
    if per_step == 4:
        assert [type(item).__name__ for item in page.segments] == ["ImageRef", "Text"] * 4


def test_no_frame_is_of_the_pause_between_two_sentences_of_a_step(tmp_path):
    pause = [shade((90, 90, 90), index) for index in range(60)]  # by far the longest shot
    write_video(
        tmp_path / "a.mp4",
        [
            *(shade(COLORS[0], index) for index in range(10)),
            *pause,
            *(shade(COLORS[1], index) for index in range(10)),
        ],
    )
    annotated = entry(([0, 1], "red"), ([7, 8], "blue"))
    (page,) = cooked(tmp_path, {"a": annotated}, frames={"min_seconds": 2, "per_step": 2})
    assert intervals(page, {"red": (0.0, 1.0), "blue": (7.0, 8.0)})
    assert [type(item).__name__ for item in page.segments] == ["ImageRef", "Text"] * 2


def test_of_overlapping_sentences_the_one_that_begins_last_owns_the_frame(tmp_path):
    write_video(
        tmp_path / "a.mp4", [shade(COLORS[0], 0)] * 10 + [shade(COLORS[1], index) for index in range(10)]
    )
    (page,) = cooked(
        tmp_path,
        {"a": entry(([0, 2], "all"), ([1, 2], "end"), duration=2.0)},
        frames={"min_seconds": 9, "per_step": 2},
    )
    assert [line.partition(" of ")[2] for line in outline(page) if " of " in line] == ["all", "end"]


def copies(real: Path, folder: Path, name: str, share: float) -> Path:
    """A real clip whose bytes end early; its index is at the front, so it opens."""
    data = (real / "video" / f"{name}.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    path = folder / f"{name}.mp4"
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "share", "detail", "images"),
    [
        (
            "flower",
            0.5,
            "the frames end at 2.336 s, its header states 5.005 s: 2 of 4 steps have no frame",
            2,
        ),
        ("flower", 0.8, "the frames end at 3.804 s, its header states 5.005 s: 1 of 4 steps has no frame", 3),
        (
            "plotter-demo",
            0.3,
            "the frames end at 2.200 s, its header states 10.000 s: 3 of 5 steps have no frame",
            2,
        ),
        (
            "plotter-demo",
            0.5,
            "the frames end at 4.000 s, its header states 10.000 s: 3 of 5 steps have no frame",
            2,
        ),
        (
            "stream-of-water",
            0.5,
            "the frames end at 1.401 s, its header states 3.002 s: 1 of 3 steps has no frame",
            2,
        ),
    ],
)
def test_a_cut_video_is_reported_and_its_steps_keep_their_text(real, tmp_path, name, share, detail, images):
    copies(real, tmp_path, name, share)
    annotations = json.loads((real / "video" / "annotations.json").read_text())["database"][name]
    page, *lost = cooked(tmp_path, {name: annotations})
    assert [(item.reason, item.detail, item.whole, item.file) for item in lost] == [
        ("video_ends_early", detail, False, f"{name}.mp4")
    ]
    assert [text.text for text in page.texts] == [item["sentence"] for item in annotations["annotations"]]
    assert len(page.images) == images
    assert [item.text for item in page.segments[2 * images :]] == [text.text for text in page.texts[images:]]


def test_the_truncated_video_is_reported(real, tmp_path):
    (tmp_path / "a.mp4").write_bytes((real / "messy" / "truncated.mp4").read_bytes())
    (tmp_path / "a.vtt").write_bytes((real / "video" / "flower.vtt").read_bytes())
    page, lost = videos(tmp_path, frames={"min_seconds": 0})
    assert (len(page.images), len(page.texts)) == (1, 4)
    assert (lost.reason, lost.detail) == (
        "video_ends_early",
        "the frames end at 0.133 s, its header states 5.005 s: 3 of 4 steps have no frame",
    )


@pytest.mark.parametrize("damage", ["cut", "zeros"])
@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv"])
def test_a_cut_or_overwritten_video_of_another_container_is_reported(tmp_path, suffix, damage):
    path = write_video(
        tmp_path / f"a{suffix}", [shade(COLORS[index // 20 % 4], index) for index in range(80)], gop=10
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + (b"" if damage == "cut" else bytes(len(data) - len(data) // 2)))
    subtitles(tmp_path / "a.srt", "Red.", "Blue.", "Green.", "Yellow.")
    page, *lost = videos(tmp_path)
    assert len(page.texts) == 4
    assert 1 <= len(page.images) < 4
    assert reasons(lost) == ["video_ends_early"]
    bare = 4 - len(page.images)
    assert lost[0].detail.endswith(
        f": {bare} of 4 steps have no frame" if bare > 1 else ": 1 of 4 steps has no frame"
    )


def test_a_header_that_is_longer_than_the_frames_is_reported(tmp_path):
    """Matroska states the duration of the longest stream: here of the sound."""
    with_sound(tmp_path / "a.mkv", video=4, sound=8)
    subtitles(tmp_path / "a.srt", "Red.", "Blue.", "Green.", "Yellow.")
    page, lost = videos(tmp_path)
    assert (len(page.images), len(page.texts)) == (2, 4)
    assert (lost.reason, lost.whole) == ("video_ends_early", False)
    assert lost.detail.startswith("the frames end at 4.000 s, its header states 8.")
    assert lost.detail.endswith(": 2 of 4 steps have no frame")
    subtitles(tmp_path / "a.srt", "Red.", "Blue.")
    assert videos(tmp_path)[1].detail.endswith(
        ": 0 of 2 steps have no frame"
    )  # no step is behind, and still the file is not what it states


def with_sound(path: Path, video: int, sound: int) -> None:
    """A video whose images last `video` seconds and whose sound lasts `sound`."""
    with av.open(str(path), "w") as out:
        moving, heard = out.add_stream("libx264", rate=10), out.add_stream("aac", rate=8000)
        moving.width, moving.height, moving.pix_fmt = 96, 64, "yuv420p"
        for index in range(10 * video):
            frame = av.VideoFrame.from_image(shade(COLORS[index // 20 % 4], index))
            frame.pts = index
            out.mux(moving.encode(frame))
        out.mux(moving.encode(None))
        for index in range(sound * 8000 // 1024 + 1):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * index
            out.mux(heard.encode(frame))
        out.mux(heard.encode(None))


def test_an_annotated_duration_that_is_much_longer_than_the_file_is_reported(tmp_path):
    clip(tmp_path / "a.mp4", 4)
    said = [
        ([index, index + 2], text) for index, text in ((0, "red"), (2, "blue"), (4, "green"), (10, "late"))
    ]
    page, *lost = cooked(tmp_path, {"a": entry(*said, duration=241.62)})
    assert [text.text for text in page.texts] == ["red", "blue"]
    assert reasons(lost) == ["segment_past_end", "segment_past_end", "video_ends_early"]
    assert (
        lost[-1].detail
        == "the frames end at 4.000 s, its annotations state 241.620 s: 2 of 4 steps have no frame"
    )
    page, *lost = cooked(tmp_path, {"a": entry(*said[:2], duration=4.4)})
    assert lost == []


def test_steps_in_a_damaged_middle_are_reported(tmp_path):
    path = write_video(
        tmp_path / "a.mp4",
        [shade(COLORS[index // 20 % 4], index) for index in range(80)],
        gop=20,
        sc_threshold="0",
    )
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as opened:
        for packet in opened.demux(video=0):
            if packet.pts is not None and 2 <= packet.pts * packet.time_base < 4:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    subtitles(tmp_path / "a.srt", "Red.", "Blue.", "Green.", "Yellow.")
    page, *lost = videos(tmp_path)
    bare = [text.text for text in page.texts if text.position not in {image.owner for image in page.images}]
    assert bare == ["Blue."]
    assert [(item.reason, item.whole) for item in lost] == [("no_frame_in_step", False)]
    assert lost[0].detail == "1 of 4 steps has no frame, the first from 2.000 s: none can be decoded there"


@pytest.mark.parametrize(
    ("segment", "kept", "lost"),
    [
        ([2, 4.01], True, []),  # ends 10 ms after the video
        ([2, 4.0 + 1e-9], True, []),
        ([4.0, 6], False, ["segment_past_end"]),
        ([4.0 - 1e-9, 6], False, ["segment_past_end"]),  # begins at the end but for rounding
        ([3.99, 6], False, ["segment_past_end"]),
        ([4.01, 6], False, ["segment_past_end"]),
        ([0.3, 0.1 + 0.2], False, ["zero_length_segment"]),  # 5e-17 s long
        ([1.0, 1.01], False, ["zero_length_segment"]),
        ([1.0, 1.11], True, []),
    ],
)
def test_times_are_compared_with_a_tolerance(tmp_path, segment, kept, lost):
    clip(tmp_path / "a.mp4", 4)
    page, *rest = cooked(tmp_path, {"a": entry(([0, 2], "red"), (segment, "this"), duration=4.0)})
    assert ("this" in [text.text for text in page.texts]) == kept
    assert len(page.images) == 1 + kept
    assert reasons(rest) == lost


def test_a_step_of_the_shortest_length_is_not_merged_for_the_rounding_of_its_times(tmp_path):
    clip(tmp_path / "a.mp4")
    assert 4.1 - 2.1 < 2.0
    annotated = entry(([2.1, 4.1], "red"), ([4.1, 6.1], "blue"))
    (page,) = cooked(tmp_path, {"a": annotated}, frames={"min_seconds": 2.0})
    assert len({image.owner for image in page.images}) == len(page.texts) == 2


def test_two_cues_that_begin_ten_milliseconds_apart_are_one(tmp_path):
    """Two speakers; else the first would last 10 ms and have no frame."""
    clip(tmp_path / "a.mp4", 4)
    cues = (
        "00:00:00,000 --> 00:00:02,000\nHello.",
        "00:00:00,010 --> 00:00:02,000\nHi!",
        "00:00:02,000 --> 00:00:04,000\nBye.",
    )
    (tmp_path / "a.srt").write_text("\n\n".join(f"{index}\n{cue}" for index, cue in enumerate(cues, 1)))
    (page,) = videos(tmp_path)
    assert [text.text for text in page.texts] == ["Hello. Hi!", "Bye."]


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts"])
def test_steps_that_overlap_again_and_again_keep_their_text_and_end_the_search_for_frames(tmp_path, name):
    clip(tmp_path / name)
    steps = [{"segment": [number * 0.001, 8], "sentence": f"Step {number}."} for number in range(300)]
    items = cooked(tmp_path, {"a": {"duration": 8, "annotations": steps}}, frames={"max_steps": 500})
    (page,) = [item for item in items if isinstance(item, Document)]
    assert [item.text for item in page.texts] == [f"Step {number}." for number in range(300)]
    owners = {image.owner for image in page.images}
    looked = [number for number, text in enumerate(page.texts) if text.position in owners]
    assert looked == list(range(len(looked)))
    # each decodes up to 80 frames, of which some 10,000 may have been decoded before
    assert 100 <= len(looked) <= 240
    (loss,) = [item for item in items if isinstance(item, Rejected)]
    assert (loss.reason, loss.whole) == ("too_many_steps", False)
    assert f"of 300 steps {300 - len(looked)} have no frames" in loss.detail


def test_steps_within_one_frame_end_the_search_for_frames(tmp_path):
    clip(tmp_path / "a.mp4")
    steps = [
        {"segment": [number * 0.002, number * 0.002 + 0.05], "sentence": f"Step {number}."}
        for number in range(3_500)
    ]
    items = cooked(tmp_path, {"a": {"duration": 8, "annotations": steps}})
    assert "too_many_steps" in reasons(items)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts"])
def test_every_step_of_a_long_video_of_few_frames_is_looked_at(tmp_path, name):
    """A lecture: a frame a second, few bytes, and a sentence every two seconds; of ten steps one overlaps the
    next.

    None does in the AVI file: it has no presentation times, and is read from its start to go back.
    """
    write_video(
        tmp_path / name, [shade(COLORS[index // 60 % 4], index % 60) for index in range(1_200)], rate=1
    )
    steps = [
        {
            "segment": [2.0 * number, 2.0 * number + (2 if number % 10 or name == "a.avi" else 4)],
            "sentence": f"Step {number}.",
        }
        for number in range(598)
    ]
    items = cooked(tmp_path, {"a": {"duration": 1_200, "annotations": steps}})
    assert reasons(items) == []
    pages = [item for item in items if isinstance(item, Document)]
    assert sum(len(page.images) for page in pages) >= 598
