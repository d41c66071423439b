"""Opening videos: one time names one frame wherever reading begins, in every container; hostile files cost
little."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from images.videos import choose, shade, sound, write_video
from PIL import Image

from leafinstruct.images.video import frames, video
from leafinstruct.images.video.video import Video, VideoError, opened

COLORS = [(6 * index % 250, 37 * index % 200, 60) for index in range(60)]


def shown(frame: av.VideoFrame | bytes) -> int:
    """Which of COLORS a frame shows."""
    pixels = (
        np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
        if isinstance(frame, bytes)
        else frame.to_ndarray(format="rgb24")
    )
    return min(
        range(len(COLORS)), key=lambda index: int(np.abs(pixels[60, 90].astype(int) - COLORS[index]).sum())
    )


@pytest.mark.parametrize("gop", [5, 250])
@pytest.mark.parametrize("between", ["0", "2"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts", ".flv", ".webm"])
def test_a_time_names_one_frame_in_every_container_and_order(tmp_path, suffix, between, gop):
    options = {"bf": between} if suffix != ".webm" else {"crf": "10"}
    path = write_video(tmp_path / f"a{suffix}", [shade(color, 10) for color in COLORS], gop=gop, **options)
    with opened(path) as whole:
        assert [(time, shown(frame)) for time, frame in whole.frames(0.0, "DEFAULT")] == [
            (index / 10, index) for index in range(60)
        ]
    segments = [(index * 0.6, (index + 1) * 0.6) for index in range(10)]
    chosen = choose(path, segments, 2)
    assert all(chosen)
    assert all(
        start <= time < end for times, (start, end) in zip(chosen, segments, strict=True) for time in times
    )
    wanted = [time for times in chosen for time in times]
    for time in [*wanted, *random.Random(1).sample(wanted, len(wanted))]:
        assert shown(frames.frame(path, time)) == round(time * 10)


def test_times_count_from_the_first_frame_and_before_it_there_is_none(tmp_path):
    """A stream that begins late, with time stamps of decoding below zero: players show its first frame at
    once."""
    path = write_video(
        tmp_path / "a.mkv",
        [shade(color, 10) for color in COLORS[:20]],
        times=[7 + index / 10 for index in range(20)],
    )
    assert choose(path, [(0.0, 0.1)], 1) == [(0.0,)]
    assert shown(frames.frame(path, 1.3)) == 13
    assert frames.frame(path, 7.0).reason == "missing_frame"


@pytest.mark.parametrize("between", ["0", "2"])
def test_reading_begins_with_a_key_frame_where_a_seek_does_not_end_at_one(tmp_path, between):
    """MPEG-4 in a transport stream: the seek ends anywhere, and the decoder shows gray for what it has not
    read."""
    images = [shade(COLORS[index % 60], index % 80) for index in range(240)]
    path = write_video(tmp_path / "a.ts", images, gop=50, codec="mpeg4", bf=between, crf="", b="4M")
    for index in (150, 5, 93, 147, 32, 239):
        assert shown(frames.frame(path, index / 10)) == index % 60


def test_times_count_from_the_first_sound_where_the_image_comes_later(tmp_path):
    """As subtitles do: a camera that started a second after its microphone."""
    write_video(tmp_path / "silent.mp4", [shade(color, 10) for color in COLORS[:20]])
    sound(tmp_path / "sound.mp4")
    with (
        av.open(str(tmp_path / "silent.mp4")) as seen,
        av.open(str(tmp_path / "sound.mp4")) as heard,
        av.open(str(tmp_path / "a.mkv"), "w") as out,
    ):
        image, tone = (
            out.add_stream_from_template(stream) for stream in (seen.streams.video[0], heard.streams.audio[0])
        )
        for packet in heard.demux(audio=0):
            if packet.dts is not None:
                packet.stream = tone
                out.mux(packet)
        for packet in seen.demux(video=0):
            if packet.dts is not None:
                packet.pts, packet.dts = (
                    round(stamp + 1 / packet.time_base) for stamp in (packet.pts, packet.dts)
                )
                packet.stream = image
                out.mux(packet)
    with opened(tmp_path / "a.mkv") as whole:
        found = [(round(time, 2), shown(frame)) for time, frame in whole.frames(0.0, "DEFAULT")]
    assert found == [(1 + index / 10, index) for index in range(20)]
    assert choose(tmp_path / "a.mkv", [(0.0, 0.9)], 1) == [()]
    assert 2.8 <= frames.facts(tmp_path / "a.mkv").duration <= 3.1


def test_a_video_without_a_stated_duration(tmp_path):
    """As a recorder leaves it that was cut off: nothing came back to the header, and there is no index."""

    class Pipe(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with av.open(pipe, "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for color in COLORS:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(shade(color, 10)), format="rgb24")))
        out.mux(stream.encode(None))
    (tmp_path / "a.mkv").write_bytes(pipe.data)
    assert frames.facts(tmp_path / "a.mkv").duration is None
    assert choose(tmp_path / "a.mkv", [(1.0, 1.05), (5.0, 5.05)], 1) == [(1.0,), (5.0,)]
    assert shown(frames.frame(tmp_path / "a.mkv", 5.0)) == 50


def test_the_cover_of_a_song_is_no_video(tmp_path):
    with av.open(str(sound(tmp_path / "a.m4a"))) as source, av.open(str(tmp_path / "b.mp4"), "w") as out:
        tone = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = tone
                out.mux(packet)
        out.mux(cover.encode(av.VideoFrame.from_ndarray(np.asarray(shade((9, 9, 9))), format="rgb24")))
        out.mux(cover.encode(None))
    assert frames.facts(tmp_path / "b.mp4").reason == "no_video_stream"


def test_damage_in_the_middle_costs_its_segment_alone(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", [shade(color, index) for index, color in enumerate(COLORS)], gop=10
    )
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        hurt = [
            packet
            for packet in container.demux(video=0)
            if packet.pts is not None and 2000 <= packet.pts * packet.time_base * 1000 < 3000
        ]
    for packet in hurt:
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    chosen = choose(path, [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)], 1)
    assert (len(chosen[0]), len(chosen[2])) == (1, 1)
    ((before,),) = choose(path, [(1.2, 1.7)], 1)
    assert shown(frames.frame(path, before)) == round(before * 10)
    assert shown(frames.frame(path, 4.0)) == 40, "although damage lies on the way from the last one"


def test_a_frame_that_the_decoder_repaired_is_not_shown(tmp_path):
    """A bit that toppled in every slice of a second: nothing is refused, and every image up to the next key
    frame is wrong."""
    path = write_video(
        tmp_path / "a.ts",
        [shade(color, index) for index, color in enumerate(COLORS)],
        gop=10,
        codec="mpeg4",
        crf="",
        b="4M",
    )
    data = bytearray(path.read_bytes())
    for place in range(len(data) * 4 // 10, len(data) * 5 // 10, 188):
        data[place + 100] ^= 0x55
    path.write_bytes(data)
    with opened(path) as whole:
        found = [(round(time * 10), shown(frame)) for time, frame in whole.frames(0.0, "DEFAULT")]
    assert 40 <= len(found) < 60
    assert [index for index, color in found if index != color] == []


@pytest.mark.parametrize(("ratio", "width"), [(Fraction(4, 3), 128), (Fraction(20, 1), 96)])
def test_frames_have_the_shape_they_are_shown_in_unless_no_camera_has_such_samples(tmp_path, ratio, width):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(shade((9, 9, 9))), format="rgb24")))
        out.mux(stream.encode(None))
    assert Image.open(io.BytesIO(frames.frame(tmp_path / "a.mp4", 0.0))).size == (width, 64)


def test_a_moment_far_from_any_key_frame_is_given_up(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [shade(color, 10) for color in COLORS], sc_threshold="0")
    monkeypatch.setattr(video, "FAR", 20)
    assert choose(path, [(0.0, 1.0), (1.0, 2.0)], 1)[1] != ()  # going on from where the last one ended
    assert choose(path, [(4.0, 5.0)], 1).reason == "broken"
    assert frames.frame(path, 4.0).reason == "broken"


def test_steps_of_a_video_with_one_key_frame_are_one_pass(tmp_path, monkeypatch):
    path = write_video(
        tmp_path / "a.mp4",
        [shade((200, 30, 30), index % 80) for index in range(300)],
        gop=1000,
        sc_threshold="0",
    )
    sought: list[float] = []
    whole = Video._decoded

    def counted(self, at):
        sought.append(at)
        return whole(self, at)

    monkeypatch.setattr(Video, "_decoded", counted)
    chosen = choose(path, [(start, start + 1.0) for start in (0.0, 1.0, 6.03, 7.03, 12.0, 20.0, 28.0)], 1)
    assert all(chosen)
    assert sought == [0.0]


BOMB = """
import sys
from pathlib import Path
from leafinstruct.images.video import frames
def peak(): return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
print(frames.facts(Path(sys.argv[1])), list(frames.choose(Path(sys.argv[1]), [(0.0, 9.0)], 1)), frames.frame(Path(sys.argv[1]), 0.0) is None)
print((peak() - before) // 1024)
"""  # noqa: E501


LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak of memory from Linux's /proc"
)


def megabytes(path: Path) -> int:
    """Memory that looking at a file takes, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True, timeout=600
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.e2e
@LINUX
@pytest.mark.parametrize("suffix", [".mov", ".avi"])
def test_an_image_bomb_in_a_video_is_not_decoded_while_the_file_is_probed(tmp_path, suffix):
    """14,000 x 14,000 pixels in 0.6 MB, whose header in the container says 64 x 64."""
    buffer = io.BytesIO()
    Image.new("RGB", (14_000, 14_000)).save(buffer, "PNG")
    with av.open(str(tmp_path / f"a{suffix}"), "w") as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        packet = av.Packet(buffer.getvalue())
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 1), stream, True
        out.mux(packet)
    assert frames.facts(tmp_path / f"a{suffix}").reason == "broken"
    assert megabytes(tmp_path / f"a{suffix}") < 100  # 750 MB unbounded


@LINUX
def test_an_image_bomb_is_not_decoded_to_learn_its_size(tmp_path):
    """FLV names no streams before its frames are probed."""
    write_video(
        tmp_path / "a.flv",
        [Image.new("RGB", (6_000, 6_000), "red")] * 3,
        gop=1,
        preset="ultrafast",
        threads="1",
    )
    assert frames.facts(tmp_path / "a.flv").reason == "too_many_pixels"
    assert megabytes(tmp_path / "a.flv") < 60


def test_frames_that_grow_in_the_middle_of_a_stream_are_not_decoded(tmp_path, monkeypatch):
    small = write_video(tmp_path / "a.ts", [shade((200, 30, 30), 10)] * 10).read_bytes()
    large = write_video(tmp_path / "b.ts", [Image.new("RGB", (960, 640))] * 3).read_bytes()
    (tmp_path / "c.ts").write_bytes(small + large)
    monkeypatch.setattr(video, "_BOUND", {"max_pixels": "100000"})
    with opened(tmp_path / "c.ts") as stream:
        widths = []
        with pytest.raises(VideoError, match="cut or damaged"):
            widths += [frame.width for _, frame in stream.frames(0.0, "DEFAULT")]
    assert set(widths) <= {96}
    assert len(choose(tmp_path / "c.ts", [(0.0, 0.9)], 1)[0]) == 1
