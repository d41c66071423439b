"""Files that browsers show and Pillow refuses are mended; missing pixels stay a reason."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from images.test_decode import encoded, pixels
from images.test_decode_hostile import chunk, with_chunk
from PIL import Image as Pil
from PIL import ImageCms

from leafinstruct.filter.materialize import REMOVED, Fetched, materialize
from leafinstruct.images.decode import Undecodable, decode, decode_mended, probe
from leafinstruct.images.formats.mend import digests, mended
from leafinstruct.publish.hydrate import _as_pushed
from leafinstruct.records.document import Ref
from leafinstruct.records.frames import KeptFrames

SMOOTH = Pil.radial_gradient("L").convert("RGB")
PLAIN = encoded(SMOOTH)


def png(depth: int, color: int, width: int, row: bytes, *beside: bytes) -> bytes:
    """A PNG of one row."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, color, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(beside) + body


def wrong_sum(name: bytes, data: bytes) -> bytes:
    return chunk(name, data)[:-4] + b"\0\0\0\0"


def noisy() -> Pil.Image:
    samples = np.random.default_rng(7).integers(0, 255, (90, 120, 3), np.uint8)
    return Pil.fromarray(samples)


BESIDE = {
    "2 MB of compressed text": chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"a brush " * 250_000)),
    "2 MB of international text": chunk(b"iTXt", b"p\0\1\0\0\0" + zlib.compress(b"a brush " * 250_000)),
    "a text with a wrong check sum": wrong_sum(b"tEXt", b"a\0b"),
    "a private chunk with a wrong check sum": wrong_sum(b"prVt", b"x"),
    "a size of pixels that is cut": chunk(b"pHYs", b"\0\0"),
    "a profile that cannot be unpacked": chunk(b"iCCP", b"k\0\0no deflate"),
    "a profile with an unknown method": chunk(b"iCCP", b"k\0\7" + zlib.compress(b"x")),
    "a profile with a wrong check sum": wrong_sum(b"iCCP", b"k\0\0" + zlib.compress(b"x")),
    "a transparency that is cut": chunk(b"tRNS", b"\0"),
    "a hundred texts": chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) * 100,
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
@pytest.mark.parametrize("at", [33, -12], ids=["before the pixels", "after the pixels"])
def test_damage_beside_the_pixels_of_a_png_changes_none_of_them(beside, at):
    data = PLAIN[:at] + beside + PLAIN[at:]
    assert (pixels(data) == np.asarray(SMOOTH)).all()
    assert (probe(data).width, probe(data).format) == (256, "PNG")
    _, whole = decode_mended(data, 64)
    with Pil.open(io.BytesIO(whole)) as image:
        image.load()
        assert image.size == (256, 256)


def test_an_intact_file_is_stored_as_it_is():
    for data in (PLAIN, encoded(SMOOTH, "JPEG"), with_chunk(b"tEXt", b"a\0b"), b"no image", b""):
        assert decode_mended(data, 64)[1] is data


def test_mending_keeps_what_changes_how_an_image_looks():
    """Orientation, profile, transparency and frames, beside a text that is left out."""
    exif = Pil.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    first, second = Pil.new("RGBA", (80, 40), (255, 0, 0, 0)), Pil.new("RGBA", (80, 40), "blue")
    kept = encoded(first, "PNG", exif=exif, icc_profile=profile, save_all=True, append_images=[second])
    whole = mended(kept[:33] + BESIDE["a text with a wrong check sum"] + kept[33:])
    found = probe(whole)
    assert (found.width, found.height, found.frames, found.rotated) == (40, 80, 2, True)
    with Pil.open(io.BytesIO(whole)) as image:
        assert image.info["icc_profile"] == profile
    assert decode(whole).getpixel((0, 0)) == (255, 255, 255)


def test_a_png_whose_pixels_are_cut_stays_cut():
    data = PLAIN[:33] + BESIDE["2 MB of compressed text"] + PLAIN[33:]
    for cut in (25, 100, len(PLAIN) // 2):  # the last 20 bytes are check sums and the end
        assert decode(data[:-cut]).reason == "truncated"


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "gray": {"gray": True},
    "restarts": {"restart_marker_blocks": 3},
    "restarts, progressive": {"restart_marker_rows": 1, "progressive": True},
    "no subsampling": {"subsampling": 0, "optimize": True},
    "cmyk": {"cmyk": True},
}


MARKERS = (0xC4, 0xDA, *range(0xD0, 0xD8))
"""Tables, scans, restarts."""


def jpeg(image: Pil.Image, gray: bool = False, cmyk: bool = False, **options: object) -> bytes:
    return encoded(image.convert("L" if gray else "CMYK" if cmyk else "RGB"), "JPEG", **options)


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("image", [SMOOTH, noisy(), Pil.new("RGB", (40, 30), "white")], ids=["a", "b", "c"])
def test_a_jpeg_without_its_end_marker_has_the_same_pixels(options, image):
    data = jpeg(image, **options)
    filled = [data[:-2] + bytes(3_000)] if data[-3] else []
    for cut in (data[:-2], data[:-1], *filled):
        assert (pixels(cut) == pixels(data)).all()
        found, whole = decode_mended(cut, 64)
        assert isinstance(found, Pil.Image)
        with Pil.open(io.BytesIO(whole)) as again:
            assert again.convert("RGB").tobytes() == pixels(data).tobytes()


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_that_lacks_pixels_stays_cut(options):
    """At each of its last bytes, at each restart and each scan, and filled up with zeros."""
    data = jpeg(noisy().resize((48, 40)), **options)
    markers = [at for at in range(200, len(data) - 2) if data[at] == 0xFF and data[at + 1] in MARKERS]
    for cut in [*range(3, 24), len(data) // 2, *(len(data) - at for at in markers[-20:])]:
        assert decode(data[:-cut]).reason in ("truncated", "broken"), cut
        assert decode(data[:-cut] + bytes(4_000)).reason in ("truncated", "broken"), cut


KEYED = {
    "gray of 1 bit": (png(1, 0, 2, b"\x40", chunk(b"tRNS", b"\0\1")), [0, 255]),
    "gray of 2 bits": (png(2, 0, 4, b"\x1b", chunk(b"tRNS", b"\0\2")), [0, 85, 255, 255]),
    "gray of 4 bits": (png(4, 0, 2, b"\x5a", chunk(b"tRNS", b"\0\x0a")), [85, 255]),
    "gray of 8 bits": (png(8, 0, 2, b"\7\x09", chunk(b"tRNS", b"\0\7")), [255, 9]),
    "gray of 16 bits": (png(16, 0, 2, b"\x80\x12\x80\x13", chunk(b"tRNS", b"\x80\x12")), [255, 128]),
}


@pytest.mark.parametrize(("data", "expected"), KEYED.values(), ids=KEYED)
def test_a_transparent_gray_is_white_at_every_depth(data, expected):
    assert pixels(data)[0, :, 0].tolist() == expected
    assert decode(data, 1).size == (1, 1)


def test_a_transparent_color_of_16_bits_is_white():
    row = b"\x80\x12\x40\x34\xff\x56" + b"\x10\0\x20\0\x30\0"
    data = png(16, 2, 2, row, chunk(b"tRNS", row[:6]))
    assert pixels(data).tolist() == [[[255, 255, 255], [16, 32, 48]]]


def test_16_bits_with_alpha():
    assert pixels(png(16, 4, 2, b"\x80\x12\x80\x00\x40\0\xff\xff")).tolist() == [[[191] * 3, [64] * 3]]
    assert pixels(png(16, 6, 1, b"\x80\x12\x80\0\x40\0\x80\0")).tolist() == [[[191, 191, 159]]]


@pytest.mark.parametrize("color", [(0, 255, 255, 0), (0, 0, 0, 255)])
def test_inks_of_a_jpeg_are_not_inverted(color):
    """Adobe's files state inverted inks, in CMYK and in YCCK; black stays black."""
    expected = (0, 0, 0) if color[3] else (255, 0, 0)
    data = encoded(Pil.new("CMYK", (16, 16), color), "JPEG", quality=95)
    assert np.abs(pixels(data)[8, 8].astype(int) - expected).max() < 6


def box(*brands: bytes) -> bytes:
    body = b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands[1:])
    return struct.pack(">I", len(body) + 4) + body + bytes(100)


@pytest.mark.parametrize(
    ("data", "reason", "word"),
    [
        (box(b"heic", b"mif1", b"heic"), "heic", "HEIC"),
        (box(b"mif1", b"heic"), "heic", "HEIC"),
        (box(b"msf1", b"hevc"), "heic", "HEIC"),
        (box(b"avif", b"mif1"), "broken", "header"),
        (box(b"avis", b"msf1"), "broken", "header"),
        (b"\xff\x0a" + bytes(90), "jxl", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90), "jxl", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90), "jp2", "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(90), "jp2", "JPEG 2000"),
        (b"II\xbc\x01" + bytes(90), "jxr", "JPEG XR"),
        (b"\0\0\1\0\1\0" + bytes(90), "ico", "icon"),
        (b"8BPS\0\1" + bytes(90), "psd", "Photoshop"),
        (box(b"isom", b"mp42"), "not_an_image", "video"),
        (b"%PDF-1.7", "not_an_image", "PDF"),
        (b"plain text", "not_an_image", "JPEG, PNG"),
    ],
)
def test_a_format_that_is_not_read_is_named(data, reason, word):
    for found in (probe(data), decode(data), decode(data, 64)):
        assert found.reason == reason
        assert word in found.detail


def test_both_names_of_a_mended_image_are_known():
    data = encoded(SMOOTH, "JPEG")
    assert digests(data[:-2]) == {hashlib.sha256(each).hexdigest() for each in (data, data[:-2])}
    assert digests(data) == {hashlib.sha256(data).hexdigest()}
    assert digests(b"") == {hashlib.sha256(b"").hexdigest()}


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"") * 300_000,
        b"\x89PNG\r\n\x1a\n" + chunk(b"tRNS", b"\0"),
        b"\xff\xd8" + b"\xff\xc0\x00\x08\x08\0\x10\0\x10\xff" * 200_000,
        b"\xff\xd8" + b"\xff\xda\x00\x02" * 200_000,
        b"\xff\xd8\xff" + bytes(100),
        b"RIFF\xff\xff\xff\xffWEBP" + b"VP8 \1\0\0\0" * 100_000,
        b"RIFF\0\0\0\0WEBP",
    ],
    ids=["chunks", "key", "frames", "scans", "nothing", "webp chunks", "webp"],
)
def test_hostile_files_are_given_up(data):
    assert isinstance(decode(data, 64), Undecodable)
    assert isinstance(probe(data), Undecodable)
    assert len(digests(data)) in (1, 2)


def stored(
    tmp_path, data: bytes, removed: frozenset[str] = frozenset()
) -> tuple[str | None, bytes | None, str]:
    """sha256, bytes and reason of an image of a folder, as a build stores it."""
    (tmp_path / "a.jpg").write_bytes(data)
    fetched = Fetched(tmp_path / "none", tmp_path, KeptFrames(tmp_path / "none"), {})
    wanted = [(Ref(file="a.jpg"), tmp_path)]
    (row,) = materialize(wanted, tmp_path / "none", 10**6, Counter(), fetched, removed)
    return row.sha256, row.bytes, row.reason


def test_a_build_stores_what_any_decoder_reads(tmp_path):
    whole = encoded(SMOOTH, "JPEG")
    name = hashlib.sha256(whole).hexdigest()
    for data in (whole, whole[:-2]):
        assert stored(tmp_path, data) == (name, whole, "")
        assert _as_pushed(data, name) == whole
    assert _as_pushed(whole[:-9], name).reason == "changed"


def test_a_mended_image_is_removed_under_either_name(tmp_path):
    whole = encoded(SMOOTH, "JPEG")
    for removed in (whole, whole[:-2]):
        found = stored(tmp_path, whole[:-2], frozenset({hashlib.sha256(removed).hexdigest()}))
        assert found[1] is None
        assert found[2].startswith(REMOVED)
