"""Videos whose container or times state what no camera writes, each with an ordinary subtitle file and
beside an ordinary video."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import av
import numpy as np

from hostile.base import CASES, SOUND

CUES = "WEBVTT\n\n" + "".join(
    f"00:00:0{second}.000 --> 00:00:0{second + 1}.000\n{SOUND} This is step {second}.\n\n"
    for second in range(4)
)


def encoded(
    frames: int = 50,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    keys: int = 12,
    pts: Callable[[int], int] | None = None,
    streams: int = 1,
    codec: str = "mpeg4",
) -> bytes:
    """Encode a video. keys: frames from one key frame to the next; pts: time of a frame in units of the
    stream."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        written: list[Any] = [out.add_stream(codec, rate=rate) for _ in range(streams)]
        for stream in written:
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.gop_size = keys
        image = np.zeros((size[1], size[0], 3), np.uint8)
        for number in range(frames + 1):
            image[:, :] = number % 256
            frame = av.VideoFrame.from_ndarray(image, "rgb24") if number < frames else None
            for stream in written[: 1 if 0 < number < frames else streams]:
                for packet in stream.encode(frame):
                    if pts is not None and packet.pts is not None:
                        packet.pts = packet.dts = pts(number)
                    out.mux(packet)
    return buffer.getvalue()


def video(
    name: str, made: Callable[[], bytes], ending: str = ".mkv", cues: Callable[[], str] = lambda: CUES
) -> None:
    def files() -> dict[str, bytes]:
        return {f"a{ending}": made(), "a.vtt": cues().encode(), "z.mkv": encoded(), "z.vtt": CUES.encode()}

    CASES[f"video {name}"] = ("video", files, {})


def _patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data, old
    return data.replace(old, new, 1)


def _declared(hours: float) -> bytes:
    """A Matroska file whose header declares this duration (element 0x4489, a double)."""
    data = encoded()
    at = data.index(b"\x44\x89\x88")
    return data[: at + 3] + struct.pack(">d", hours * 3_600_000) + data[at + 11 :]


video("ordinary", encoded)
video("100,000 frames in a second", lambda: encoded(100_000, 100_000, (16, 16), codec="ffv1"))
video("frame rate of 1,000,000", lambda: encoded(200, 1_000_000, codec="ffv1"))
video("one key frame in 40,000 frames", lambda: encoded(40_000, 25, (64, 48), keys=1_000_000))
video("200 streams", lambda: encoded(streams=200))
video("declares 1,000,000 hours", lambda: _declared(1_000_000))
video("declares less than nothing", lambda: _declared(-5))
video("declares not a number", lambda: _declared(float("nan")))
video("times of years apart", lambda: encoded(20, pts=lambda number: number * 10**9, codec="ffv1"))
video("all frames at one time", lambda: encoded(2_000, pts=lambda _: 5, codec="ffv1"))
video("frames of 8k", lambda: encoded(20, size=(7_680, 4_320)))
video(
    "a playlist by name",
    lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    ".mp4",
)
video("a list of files by name", lambda: b"ffconcat version 1.0\nfile /etc/passwd\nfile z.mkv\n", ".mkv")
video(
    "zeros in the middle",
    lambda: (data := encoded(2_000))[: len(data) // 3] + bytes(len(data) // 3) + data[2 * len(data) // 3 :],
)
video("cut", lambda: encoded(2_000)[:9_000])


def _cues(count: int, line: Callable[[int], str]) -> str:
    return "WEBVTT\n\n" + "".join(line(number) for number in range(count))


def _time(seconds: float) -> str:
    return f"{int(seconds // 3600):02d}:{int(seconds // 60) % 60:02d}:{seconds % 60:06.3f}"


VIDEO_CUES: dict[str, Callable[[], str]] = {
    "1,000,000 cues": lambda: _cues(
        300_000,
        lambda number: f"{_time(number / 100_000)} --> {_time(number / 100_000 + 0.001)}\nword {number}\n\n",
    ),
    "a cue of 8 MB": lambda: f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{'word ' * 1_600_000}\n\n",
    "cues of years": lambda: _cues(
        20_000,
        lambda number: f"{number * 9:02d}:00:00.000 --> {number * 9 + 5000:02d}:00:00.000\nOne sentence.\n\n",
    ),
    "cues that all overlap": lambda: _cues(
        20_000, lambda number: f"00:00:00.{number % 1000:03d} --> 00:00:05.000\nOne sentence {number}.\n\n"
    ),
    "times backwards": lambda: _cues(
        20_000,
        lambda number: f"{_time(20_000 - number)} --> {_time(20_001 - number)}\nOne sentence {number}.\n\n",
    ),
    "tags without end": lambda: f"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{'<i><b><c.x>' * 300_000}\n\n",
    "hours of 30 digits": lambda: (
        f"WEBVTT\n\n{'9' * 30}:00:01.000 --> {'9' * 30}:00:02.000\nOne sentence.\n\n"
    ),
}
for _name, _made in VIDEO_CUES.items():
    video(_name, encoded, cues=_made)


def youcook2(
    name: str,
    segment: Callable[[int], object],
    count: int,
    made: Callable[[], bytes] = encoded,
    duration: float = 5,
) -> None:
    def files() -> dict[str, bytes]:
        steps = [
            {"segment": segment(number), "id": number, "sentence": f"Cut {number}"} for number in range(count)
        ]
        sound = [{"segment": [0, 2], "id": 0, "sentence": SOUND}]
        database = {
            "a": {"duration": duration, "annotations": steps},
            "b": {"duration": 5, "annotations": sound},
        }
        return {"y.json": json.dumps({"database": database}).encode(), "a.mkv": made(), "b.mkv": encoded()}

    CASES[f"youcook2 {name}"] = ("youcook2", files, {"path": "y.json", "videos": "."})


youcook2("100,000 steps in 5 seconds", lambda number: [number * 1e-5, 5], 100_000)
youcook2(
    "2,000 steps of a minute that overlap",
    lambda number: [number * 1e-3, 60],
    2_000,
    lambda: encoded(1_500, 25, (640, 480)),
    duration=60,
)
youcook2(
    "5,000 steps at the end",
    lambda number: [240 + number * 1e-3, 245],
    5_000,
    lambda: encoded(6_200, 25, keys=100_000),
    duration=248,
)
youcook2(
    "times of no number",
    lambda number: [[float("nan"), 1], [0, float("inf")], [1e308, 1], [2, 1]][number % 4],
    100_000,
)
youcook2("300,000 steps behind the end", lambda number: [number + 6, number + 7], 300_000)
