"""The frames that `choose` keeps: the same bytes as from `frame`, no more than fits, none decoded only in
part."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from images.videos import shade, write_video
from PIL import Image

from leafinstruct.images.video import frames
from leafinstruct.images.video.frames import Chosen
from leafinstruct.images.video.video import Video

SEGMENTS = [(index * 0.75, (index + 1) * 0.75) for index in range(8)]
"""Some hold key frames enough at a GOP of 2, none at one of 250."""
IMAGES = [shade((6 * index % 250, 37 * index % 200, 60), index) for index in range(60)]


def chosen(path: Path, segments: list[tuple[float, float]] = SEGMENTS, per_segment: int = 1) -> list[Chosen]:
    found = list(frames.choose(path, segments, per_segment))
    assert all(isinstance(item, Chosen) for item in found), found
    return found


def taken(found: list[Chosen]) -> dict[float, bytes]:
    return {time: data for item in found for time, data in item.taken}


def wide(path: Path, bits: str, shape: Fraction, **flags: str) -> Path:
    """A video with another pixel format, samples that are not square, or flags of the encoder."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, bits
        stream.codec_context.sample_aspect_ratio = shape
        stream.codec_context.gop_size = 2
        stream.options = {"crf": "12", "sc_threshold": "0", **flags}
        for image in IMAGES:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("gop", [2, 12, 250])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "", {"sc_threshold": "0"}),
        ("a.mp4", "", {"bf": "4", "x264-params": "b-pyramid=normal:open-gop=1"}),
        ("a.mkv", "libx265", {"x265-params": "log-level=none:temporal-layers=3:bframes=7:b-adapt=0"}),
        ("a.webm", "libvpx", {}),
        ("a.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
        ("a.mp4", "libsvtav1", {"preset": "12"}),
        ("a.ts", "mpeg4", {"b": "4M", "crf": ""}),
        ("a.avi", "mpeg4", {"b": "4M", "crf": ""}),
        ("a.flv", "", {}),
    ],
)
def test_what_is_kept_is_what_frame_gives(tmp_path, name, codec, options, gop):
    """Over every way to decode: key frames alone, without those that no other refers to, all."""
    path = write_video(tmp_path / name, IMAGES, gop=gop, codec=codec, **options)
    found = chosen(path, per_segment=2)
    kept = taken(found)
    assert set(kept) == {time for item in found for time in item.times}
    assert len(kept) >= 8
    for time, data in kept.items():
        assert frames.frame(path, time) == data, time


@pytest.mark.parametrize(
    ("bits", "shape"), [("yuv420p10le", Fraction(1)), ("yuv444p", Fraction(4, 3)), ("gray", Fraction(1))]
)
def test_what_is_kept_is_upright_and_in_shape(tmp_path, bits, shape):
    path = wide(tmp_path / "a.mp4", bits, shape)
    kept = taken(chosen(path))
    assert len(kept) >= 6
    assert all(frames.frame(path, time) == data for time, data in kept.items())
    assert {Image.open(io.BytesIO(data)).size for data in kept.values()} == {
        (96 * shape.numerator // shape.denominator, 64)
    }


def test_frames_above_the_bound_are_not_kept_and_the_same_ones_are_chosen(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", IMAGES)
    segments = [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    whole = chosen(path, segments, 3)
    one = 96 * 64 * 3 // 2
    monkeypatch.setattr(frames, "KEPT", one - 1)
    assert [item.times for item in chosen(path, segments, 3)] == [item.times for item in whole]
    assert taken(chosen(path, segments, 3)) == {}
    monkeypatch.setattr(frames, "KEPT", 8 * one)
    some = taken(chosen(path, segments, 3))
    assert 0 < len(some) < len(taken(whole))
    assert some.items() < taken(whole).items()


def test_an_interlaced_key_frame_is_not_kept(tmp_path):
    """Of two fields the second may be passed over with all that is no key frame."""
    path = wide(tmp_path / "a.mp4", "yuv420p", Fraction(1), flags="+ildct+ilme")
    found = chosen(path)
    assert all(item.times for item in found)
    assert taken(found) == {}


def test_a_frame_with_the_time_of_an_earlier_frame_is_not_kept(tmp_path, monkeypatch):
    """`frame` would give the first of them."""
    path = write_video(tmp_path / "a.mp4", IMAGES)
    # several frames a time
    monkeypatch.setattr(Video, "_seconds", lambda _, stamp: stamp // 4096 * 4096 / 12800)
    with_names = [item for item in chosen(path, [(0.0, 5.0)], 12) if item.times]
    for time, data in taken(with_names).items():
        assert frames.frame(path, time) == data


def test_neighbors_are_decoded_once(tmp_path, monkeypatch):
    """Steps that touch, judged by key frames or by all frames: each frame comes out of a decoder once, and no
    seek goes back."""
    seen: list[float] = []
    whole = Video._decoded

    def counted(self, at):
        for item in whole(self, at):
            seen.append(item[0])
            yield item

    monkeypatch.setattr(Video, "_decoded", counted)
    for gop in (2, 250):
        seen.clear()
        kept = taken(chosen(write_video(tmp_path / f"{gop}.mp4", IMAGES, gop=gop, sc_threshold="0")))
        assert len(kept) >= 7
        assert len(seen) == len(set(seen)) <= 60
    seen.clear()
    path = write_video(tmp_path / "a.avi", IMAGES, gop=5, codec="mpeg4", b="4M", crf="")
    # with key frames enough, and not; all frames are decoded either way
    chosen(path, [(0.0, 2.0), (2.0, 2.4), (2.4, 4.4), (4.4, 6.0)])
    assert len(seen) == len(set(seen))
