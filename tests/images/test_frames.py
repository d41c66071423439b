"""Frames of videos: the right ones are chosen, at exact times; whatever is wrong with a file is a reason."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from images.videos import choose, shade, sound, write_video
from PIL import Image

from leafinstruct.images.read import fetch
from leafinstruct.images.unreadable import Unreadable
from leafinstruct.images.video import frames
from leafinstruct.records.document import Ref

RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 160, 40)


def color(path: Path, time: float) -> tuple[int, ...]:
    """The color in the corner of a frame."""
    data = frames.frame(path, time)
    assert isinstance(data, bytes), data
    return tuple(Image.open(io.BytesIO(data)).convert("RGB").getpixel((90, 60)))


def near(found: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return max(abs(one - other) for one, other in zip(found, wanted, strict=True)) < 30


def test_the_sharp_frame_is_chosen_over_blurred_ones(tmp_path):
    images = [shade(RED, 20, blurred=index not in range(8, 13)) for index in range(20)]
    ((time,),) = choose(write_video(tmp_path / "b.mp4", images), [(0.0, 2.0)], 1)
    assert 0.8 <= time <= 1.2


def test_frames_come_from_inside_the_segment_and_from_its_longest_shot(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", [shade(RED, 20)] * 10 + [shade(BLUE, 40)] * 30 + [shade(GREEN, 10)] * 5
    )
    chosen = choose(path, [(0.0, 1.0), (0.5, 4.5), (4.0, 4.5)], 1)
    assert [
        near(color(path, times[0]), wanted) for times, wanted in zip(chosen, (RED, BLUE, GREEN), strict=True)
    ] == [True] * 3
    assert all(
        start <= time < end
        for (time,), (start, end) in zip(chosen, [(0.0, 1.0), (0.5, 4.5), (4.0, 4.5)], strict=True)
    )


def test_a_frame_beside_a_cut_is_not_chosen_while_others_remain(tmp_path):
    path = write_video(tmp_path / "a.mp4", [shade(RED, 20)] * 10 + [shade(BLUE, 40)] * 10)
    ((first, second),) = choose(path, [(0.0, 2.0)], 2)
    assert near(color(path, first), RED)
    assert near(color(path, second), BLUE)
    assert first <= 0.85
    assert second >= 1.1


def test_a_frame_of_a_dissolve_is_not_chosen_while_others_remain(tmp_path):
    red, blue = shade(RED, 20), shade(BLUE, 20)
    # sharper than the end it leads to: the bar is the same
    dissolve = [Image.blend(red, blue, (index + 1) / 9) for index in range(8)]
    images = [red] * 6 + dissolve + [blue.resize((24, 16)).resize((96, 64))] * 20
    ((time,),) = choose(write_video(tmp_path / "a.mp4", images), [(0.7, 3.4)], 1)
    assert time >= 1.4
    assert near(color(tmp_path / "a.mp4", time), BLUE)


def test_of_frames_as_sharp_a_key_frame_is_chosen(tmp_path):
    """To come to another one, all frames before it are decoded."""
    path = write_video(
        tmp_path / "a.mp4", [shade(RED, index) for index in range(60)], gop=20, sc_threshold="0"
    )
    assert choose(path, [(0.5, 3.5), (3.55, 5.5)], 1) == [(2.0,), (4.0,)]


def test_a_further_frame_must_show_something_new(tmp_path):
    still = write_video(tmp_path / "still.mp4", [shade(RED, 20)] * 30)
    assert [len(times) for times in choose(still, [(0.0, 3.0)], 3)] == [1]
    moving = write_video(tmp_path / "moving.mp4", [shade(RED, 2 * index) for index in range(30)])
    assert [len(times) for times in choose(moving, [(0.0, 3.0)], 3)] == [3]


def test_times_are_those_of_the_frames_also_with_a_variable_rate(tmp_path):
    times = [0.0, 0.04, 0.5, 0.52, 1.9, 2.0, 3.75]
    path = write_video(tmp_path / "a.mp4", [shade((40 * index, 20, 20), 10) for index in range(7)], times)
    chosen = choose(path, [(time, time + 0.01) for time in times[:-1]], 1)
    assert [found for (found,) in chosen] == times[:-1]
    for index, time in enumerate(times[:-1]):
        assert near(color(path, time), (40 * index, 20, 20))


def test_frames_can_be_taken_in_any_order(tmp_path):
    images = [shade((6 * index, 20, 60), 10) for index in range(40)]
    path = write_video(tmp_path / "a.mp4", images, gop=12)
    for index in (0, 39, 3, 2, 20, 21, 0):
        assert near(color(path, index / 10), (6 * index, 20, 60)), index


def test_a_time_without_a_frame_is_missing(tmp_path):
    path = write_video(tmp_path / "a.mp4", [shade(RED)] * 10)
    for time in (0.05, 5.0, -1.0):
        assert frames.frame(path, time).reason == "missing_frame"
    assert near(color(path, 0.0), RED)


def test_a_changed_file_is_opened_again(tmp_path):
    path = write_video(tmp_path / "a.mp4", [shade(RED)] * 10)
    assert near(color(path, 0.2), RED)
    write_video(path, [shade(BLUE)] * 12)
    assert near(color(path, 0.2), BLUE)


def test_segments_where_there_is_nothing(tmp_path):
    path = write_video(tmp_path / "a.mp4", [shade(RED)] * 10)
    assert choose(path, [(5.0, 6.0), (0.0, 0.0), (0.0, 1.0)], 1)[:2] == [(), ()]
    assert choose(path, [(5.0, 6.0), (0.0, 0.0), (0.0, 1.0)], 1)[2] != ()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi", "a.ts", "a.webm"])
def test_containers(tmp_path, name):
    options = {} if name != "a.webm" else {"crf": "10"}
    path = write_video(tmp_path / name, [shade(RED, 20)] * 10 + [shade(BLUE, 40)] * 10, gop=5, **options)
    (first,), (second,) = choose(path, [(0.0, 1.0), (1.0, 2.0)], 1)
    assert near(color(path, first), RED)
    assert near(color(path, second), BLUE)


def test_what_is_no_video(tmp_path):
    (tmp_path / "page.mp4").write_text("<html>not found</html>" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    shade(RED).save(tmp_path / "image.png")
    (tmp_path / "image.mp4").write_bytes((tmp_path / "image.png").read_bytes())
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    (tmp_path / "play.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"
    )
    reasons = {
        "page": "not_a_video",
        "empty": "empty",
        "image": "not_a_video",
        "list": "not_a_video",
        "play": "not_a_video",
    }
    for name, reason in reasons.items():
        path = tmp_path / f"{name}.mp4"
        assert frames.facts(path).reason == reason
        assert choose(path, [(0.0, 1.0)], 1).reason == reason
        assert frames.frame(path, 0.0).reason == reason


def test_sound_alone_and_a_cut_file(tmp_path):
    assert frames.facts(sound(tmp_path / "a.mp4")).reason == "no_video_stream"
    data = write_video(tmp_path / "b.mp4", [shade(RED, index) for index in range(40)]).read_bytes()
    (tmp_path / "c.mp4").write_bytes(data[: len(data) // 2])
    assert frames.facts(tmp_path / "c.mp4").reason == "truncated"


def test_turned_videos_are_upright(tmp_path):
    """The display matrix of a phone: -90 degrees, written into the header of a made file."""
    path = write_video(tmp_path / "a.mp4", [shade(RED, 0)] * 5)
    data = path.read_bytes()
    one, unit = (1 << 16).to_bytes(4, "big"), (1 << 30).to_bytes(4, "big")
    zero, minus = bytes(4), (-(1 << 16)).to_bytes(4, "big", signed=True)
    upright = one + zero * 3 + one + zero * 3 + unit
    turned = zero + one + zero + minus + zero * 4 + unit
    place = data.rindex(upright)  # the last one is the track's
    path.write_bytes(data[:place] + turned + data[place + 36 :])
    found = frames.frame(path, 0.0)
    assert Image.open(io.BytesIO(found)).size == (64, 96)
    top = np.asarray(Image.open(io.BytesIO(found)).convert("L"))[:20].mean()
    # the white bar at the left is now on top
    assert top > np.asarray(Image.open(io.BytesIO(found)).convert("L"))[-20:].mean()


def test_a_reference_to_a_moment_is_read_with_fetch(tmp_path):
    write_video(tmp_path / "a.mp4", [shade(RED)] * 10)
    assert isinstance(fetch(Ref(file="a.mp4", time=0.3), tmp_path), bytes)
    assert fetch(Ref(file="../a.mp4", time=0.3), tmp_path / "sub") == fetch(
        Ref(file="../a.mp4", time=0.3), tmp_path / "sub"
    )
    assert fetch(Ref(file="b.mp4", time=0.3), tmp_path).reason == "missing"


def test_choosing_decodes_key_frames_alone_where_they_suffice(tmp_path, monkeypatch):
    from leafinstruct.images.video.video import Video

    path = write_video(tmp_path / "a.mp4", [shade(RED, index % 60) for index in range(300)], gop=10)
    seen: list[int] = []
    whole = Video.frames

    def counted(self, since, skip="DEFAULT"):
        for item in whole(self, since, skip):
            seen.append(1)
            yield item

    monkeypatch.setattr(Video, "frames", counted)
    choose(path, [(0.0, 30.0)], 1)
    assert len(seen) < 60  # of 300; the encoder adds key frames of its own where the bar jumps back


def test_the_real_videos(real):
    wanted = {
        "flower.mp4": [(0, 1.4), (1.4, 2.6), (2.6, 3.9), (3.9, 5.0)],
        "stream-of-water.mp4": [(0, 1.5), (1.5, 3.1)],
        "plotter-demo.mp4": [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)],
    }
    for name, segments in wanted.items():
        chosen = choose(real / "video" / name, segments, 1)
        assert [len(times) for times in chosen] == [1] * len(segments)
        for (time,), (start, end) in zip(chosen, segments, strict=True):
            assert start <= time < end
            assert isinstance(frames.frame(real / "video" / name, time), bytes)


def test_the_cut_real_video_gives_what_is_before_the_cut(real):
    path = real / "messy" / "truncated.mp4"
    chosen = choose(path, [(0.0, 1.0), (1.0, 2.0)], 1)
    assert not isinstance(chosen, Unreadable)
    assert len(chosen[0]) == 1
    assert chosen[0][0] < 0.2
    assert chosen[1] == ()


def test_nothing_is_written_to_the_terminal(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"garbage" * 1000)
    path = str(tmp_path / "a.mp4")
    code = (
        "from pathlib import Path; from leafinstruct.images.video import frames; "
        f"list(frames.choose(Path({path!r}), [(0, 1)], 1))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
