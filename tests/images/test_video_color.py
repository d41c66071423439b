"""Colors of videos: what was sRGB before it was encoded is sRGB again, within a few levels.

The encoders' formulas are written here from the standards, apart from those of the package.
"""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from images.videos import shade, write_video
from numpy.typing import NDArray
from PIL import Image

from leafinstruct.images.video import frames

COLORS = [(230, 230, 230), (128, 128, 128), (16, 16, 16), (255, 255, 255), (200, 60, 40), (40, 160, 60)]
WEIGHTS = {"709": (0.2126, 0.0722), "601": (0.299, 0.114), "2020": (0.2627, 0.0593)}
"""Red and blue in luma."""
TO_2020 = np.array(
    [[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]]
)
"""ITU-R BT.2087, from BT.709."""
LIMITED, FULL, UNSTATED = 1, 2, 0
HD, SD = (1280, 720), (640, 480)


def linear(color: tuple[int, int, int]) -> NDArray[np.float64]:
    """Light of an sRGB color."""
    signal = np.array(color) / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """ST 2084; light: 1.0 is 10,000 cd/m2."""
    power = np.power(light, 0.1593017578125)
    return np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 78.84375)


def hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """BT.2100's OETF; light: of the scene."""
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)


def write(
    path: Path,
    signal: NDArray[np.float64],
    matrix: str,
    size: tuple[int, int],
    tags: tuple[int, int, int, int],
    bits: int = 8,
) -> Path:
    """Write a video of one color. tags: primaries, transfer, matrix, range, as H.273 numbers them."""
    red, blue = WEIGHTS[matrix]
    luma = float(signal @ [red, 1 - red - blue, blue])
    chroma = (float(signal[2]) - luma) / (2 * (1 - blue)), (float(signal[0]) - luma) / (2 * (1 - red))
    scale = 1 << (bits - 8)
    if tags[3] == FULL:
        planes = [luma * (256 * scale - 1), *(part * (256 * scale - 1) + 128 * scale for part in chroma)]
    else:
        planes = [(219 * luma + 16) * scale, *((224 * part + 128) * scale for part in chroma)]
    frame = av.VideoFrame(*size, "yuv420p" if bits == 8 else "yuv420p10le")
    for plane, value in zip(frame.planes, planes, strict=True):
        kind = np.uint8 if bits == 8 else np.uint16
        plane.update(np.full(plane.buffer_size // kind().itemsize, round(value), kind).tobytes())
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, frame.format.name
        stream.options = {"crf": "2", "preset": "ultrafast"}
        context = stream.codec_context
        context.thread_count = 1
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = tags
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return path


def shown(path: Path) -> tuple[int, ...]:
    data = frames.frame(path, 0.0)
    assert isinstance(data, bytes), data
    return tuple(Image.open(io.BytesIO(data)).convert("RGB").getpixel((40, 40)))


def apart(found: tuple[int, ...], color: tuple[int, ...]) -> int:
    return max(abs(one - other) for one, other in zip(found, color, strict=True))


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize(
    ("matrix", "size"),
    [("601", SD), ("601", (720, 576)), ("709", HD), ("709", (1280, 534)), ("709", (800, 600))],
)
def test_a_video_without_tags_has_the_matrix_of_its_size(tmp_path, matrix, size, color):
    path = write(tmp_path / "a.mp4", np.array(color) / 255, matrix, size, (2, 2, 2, UNSTATED))
    assert apart(shown(path), color) <= 4


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("full", [LIMITED, FULL])
@pytest.mark.parametrize(
    ("matrix", "size", "tags"),
    [("709", SD, (1, 1, 1)), ("601", HD, (6, 6, 6)), ("601", HD, (5, 6, 5)), ("709", SD, (1, 13, 1))],
)
def test_what_a_stream_states_counts_more_than_its_size(tmp_path, matrix, size, tags, full, color):
    path = write(tmp_path / "a.mp4", np.array(color) / 255, matrix, size, (*tags, full))
    assert apart(shown(path), color) <= 4


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("full", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [9, 2])
def test_pq_at_reference_white_is_srgb(tmp_path, color, full, matrix):
    light = TO_2020 @ linear(color) * 203 / 10_000
    path = write(tmp_path / "a.mp4", pq(light), "2020", HD, (9, 16, matrix, full), 10)
    assert apart(shown(path), color) <= 3


@pytest.mark.parametrize("matrix", [9, 2])
@pytest.mark.parametrize("primaries", [9, 2])
def test_hlg_at_reference_white_is_white_and_the_rest_is_near(tmp_path, primaries, matrix):
    """A signal of 75 % is white. A white of 230 that is mapped by the light of the scene, and by the light of
    a screen of 1,000 cd/m2 (system gamma 1.2)."""
    white = 0.264963
    scene = linear((230, 230, 230))
    for light, near in (
        (np.ones(3) * white, 255),
        (scene * white, 230),
        ((scene * 0.203) ** (1 / 1.2), 230),
        (np.zeros(3), 0),
    ):
        path = write(tmp_path / "a.mp4", hlg(light), "2020", HD, (primaries, 18, matrix, LIMITED), 10)
        assert apart(shown(path), (near,) * 3) <= 4


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("full", [LIMITED, FULL])
def test_hdr_of_8_bits(tmp_path, transfer, full):
    light = linear((230, 230, 230))
    signal = pq(light * 203 / 10_000) if transfer == 16 else hlg(light * 0.264963)
    path = write(tmp_path / "a.mp4", signal, "2020", SD, (9, transfer, 9, full))
    assert apart(shown(path), (230, 230, 230)) <= 4


def test_hlg_is_as_an_sdr_camera_would_have_recorded_it(tmp_path):
    """18 % gray, and colors of the same scene by the curve of BT.709."""
    for light in ((0.18, 0.18, 0.18), (0.5, 0.1, 0.05), (0.05, 0.4, 0.1)):
        scene = np.array(light)
        camera = np.where(scene < 0.018, 4.5 * scene, 1.099 * scene**0.45 - 0.099)
        path = write(tmp_path / "a.mp4", hlg(TO_2020 @ scene * 0.264963), "2020", HD, (9, 18, 9, LIMITED), 10)
        assert apart(shown(path), tuple(np.rint(camera * 255).astype(int))) <= 3


def test_brighter_than_reference_white_is_white(tmp_path):
    for transfer, signal in ((16, pq(np.ones(3) / 10)), (18, np.ones(3) * 0.95)):
        path = write(tmp_path / "a.mp4", signal, "2020", HD, (9, transfer, 9, LIMITED), 10)
        assert shown(path) == (255, 255, 255)


@pytest.mark.parametrize("color", COLORS)
def test_wide_primaries_are_mapped(tmp_path, color):
    """BT.1886 decodes and encodes: a color of BT.709 in the primaries of BT.2020."""
    light = (np.array(color) / 255) ** 2.4
    path = write(tmp_path / "a.mp4", (TO_2020 @ light) ** (1 / 2.4), "2020", SD, (9, 14, 9, LIMITED), 10)
    assert apart(shown(path), color) <= 4


def test_the_primaries_of_p3_are_mapped(tmp_path):
    """Display P3's red is out of sRGB; (0.9175, 0.2003, 0.1386) of Display P3 is the red of sRGB."""
    path = write(tmp_path / "a.mp4", np.array([0.9175, 0.2003, 0.1386]), "709", HD, (12, 1, 1, LIMITED), 10)
    assert apart(shown(path), (255, 0, 0)) <= 16
    path = write(tmp_path / "b.mp4", np.ones(3) * 0.5, "709", HD, (12, 1, 1, LIMITED), 10)
    assert apart(shown(path), (128, 128, 128)) <= 2


def test_a_large_frame_is_converted_in_pieces_as_a_whole(tmp_path, monkeypatch):
    from leafinstruct.images.video import color

    path = write_video(tmp_path / "a.mp4", [shade((200, 90, 30), 40)], color_primaries="bt2020")
    whole = frames.frame(path, 0.0)
    monkeypatch.setattr(color, "_PIECE", 1000)
    frames._cursor.close()
    assert frames.frame(path, 0.0) == whole


MATRICES = {
    # a, b, c, d of the display matrix (ISO 14496-12: x' = a x + c y, y' = b x + d y)
    # -> where the upper left corner is shown, and whether width and height change places
    (1, 0, 0, 1): ("left", "top", False),
    (0, 1, -1, 0): ("right", "top", True),
    (-1, 0, 0, -1): ("right", "bottom", False),
    (0, -1, 1, 0): ("left", "bottom", True),
    (-1, 0, 0, 1): ("right", "top", False),
    (1, 0, 0, -1): ("left", "bottom", False),
    (0, 1, 1, 0): ("left", "top", True),
    (0, -1, -1, 0): ("right", "bottom", True),
}


def corner(path: Path) -> tuple[str, str, bool]:
    """Where the blue of a frame is, and whether the frame is higher than wide."""
    data = frames.frame(path, 0.0)
    assert isinstance(data, bytes), data
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    rows, columns = np.nonzero(pixels[:, :, 2] - pixels[:, :, 0] > 100)
    across = "left" if columns.mean() < width / 2 else "right"
    return across, "top" if rows.mean() < height / 2 else "bottom", height > width


@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_are_turned_and_mirrored_as_the_display_matrix_states(tmp_path, matrix):
    image = Image.new("RGB", (96, 64), (200, 30, 30))
    image.paste((20, 20, 250), (0, 0, 30, 20))
    data = write_video(tmp_path / "a.mp4", [image]).read_bytes()
    unit, zero = (1 << 30).to_bytes(4, "big"), bytes(4)

    def stored(a: int, b: int, c: int, d: int) -> bytes:
        one, two, three, four = ((value << 16).to_bytes(4, "big", signed=True) for value in (a, b, c, d))
        return one + two + zero + three + four + zero * 3 + unit

    place = data.rindex(stored(1, 0, 0, 1))  # the last one is the track's
    (tmp_path / "a.mp4").write_bytes(data[:place] + stored(*matrix) + data[place + 36 :])
    assert corner(tmp_path / "a.mp4") == MATRICES[matrix]


@pytest.mark.parametrize("between", ["0", "2"])
@pytest.mark.parametrize("late", [0, 3, 25])
def test_an_edit_list_states_where_a_video_begins(tmp_path, between, late):
    """The edit begins `late` frames later than the stream, between two key frames: players decode what is
    before it and do not show it."""
    colors = [(6 * index % 250, 37 * index % 200, 60) for index in range(40)]
    path = write_video(tmp_path / "a.mp4", [shade(color, 10) for color in colors], gop=20, bf=between)
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 16
    with av.open(str(path)) as container:
        base = container.streams.video[0].time_base
    assert base is not None
    begins = int.from_bytes(data[place : place + 4], "big") + round(late / 10 / base)
    data[place : place + 4] = begins.to_bytes(4, "big")
    path.write_bytes(data)
    for time in (0.0, 0.5, 1.2):
        found = Image.open(io.BytesIO(frames.frame(path, time))).convert("RGB").getpixel((90, 60))
        wanted = min(range(40), key=lambda index: apart(found, colors[index]))
        assert wanted == late + round(time * 10)
