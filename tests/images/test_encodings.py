"""Content encodings: what is undone, what is taken as stored, and what is refused with the name of the
encoding; work and memory are bounded."""

from __future__ import annotations

import gzip
import time
import zlib
from functools import partial

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import png

from leafinstruct.images.encodings import MAX_MEMBERS, EncodingError, beginning, decoded, encodings_of

zipped = partial(gzip.compress, mtime=0)  # the name of a test has no time in it
PAGE = "<html><body><p>Wörter einer Seite. </p></body></html>".encode() * 50


def raw_deflate(data: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(data) + pack.flush()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


PACK = {"gzip": zipped, "x-gzip": zipped, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd}


def reason(body: bytes, stated: str, limit: int = 1 << 20) -> tuple[str, str]:
    with pytest.raises(EncodingError) as found:
        decoded(body, encodings_of(stated), limit)
    return found.value.reason, found.value.detail


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        (None, []),
        ("", []),
        ("identity", []),
        (" GZIP ,, Identity", ["gzip"]),
        ('"br"', ["br"]),
        ("gzip, deflate", ["gzip", "deflate"]),
        ("None", ["none"]),
    ],
)
def test_the_names_of_a_header(stated, names):
    assert encodings_of(stated) == names


@given(st.lists(st.sampled_from(sorted(PACK)), max_size=4), st.binary(max_size=300))
def test_encodings_in_a_row_are_undone_from_the_last_to_the_first(names, data):
    packed = data
    for name in names:
        packed = PACK[name](packed)
    assert decoded(packed, names, 1 << 20) == data


@pytest.mark.parametrize("stated", [*PACK, "none", "utf-8", "gzip, br", "x-unheard-of"])
@pytest.mark.parametrize(
    "body", [PAGE, "<p>прощай".encode("koi8-r"), b" <p>a\0b", png(), b"User-agent: *\n", b""]
)
def test_a_body_that_is_plainly_not_encoded_is_taken_as_stored(stated, body):
    assert decoded(body, encodings_of(stated), 1 << 20) == body


@pytest.mark.parametrize(
    ("stated", "packed"),
    [
        ("deflate", raw_deflate(PAGE)),
        ("gzip", zlib.compress(PAGE)),
        ("br", zipped(PAGE)),
        ("gzip", zstd(PAGE)),
        ("gzip, deflate", zipped(PAGE)),
        ("gzip, deflate", zlib.compress(PAGE)),
        ("utf-8, gzip", zipped(PAGE)),
        ("gzip", zipped(PAGE[:99]) + zipped(PAGE[99:]) + b"\0\0"),
        ("zstd", zstd(PAGE[:99]) + zstd(PAGE[99:])),
    ],
)
def test_the_bytes_decide_where_the_header_is_inexact(stated, packed):
    assert decoded(packed, encodings_of(stated), 1 << 20) == PAGE


@pytest.mark.parametrize(
    ("stated", "body", "wanted"),
    [
        ("compress", b"\x1f\x9d\x90" + bytes(range(99)), "unknown_encoding"),
        ("none", zipped(PAGE), "unknown_encoding"),
        ("gzip, x-own", bytes(range(99)), "unknown_encoding"),
        ("gzip," * 5 + "gzip", zipped(PAGE), "unknown_encoding"),
        ("gzip", b"\x1f\x8b\x08 is no gzip", "broken_encoding"),
        ("deflate", bytes(range(99)), "broken_encoding"),
        ("br", bytes(range(256)), "broken_encoding"),
        ("zstd", bytes(range(99)), "broken_encoding"),
    ],
)
def test_other_bodies_are_refused_with_what_the_header_states(stated, body, wanted):
    found, detail = reason(body, stated)
    assert found == wanted
    assert detail.startswith(f"Content-Encoding: {', '.join(encodings_of(stated))}: ")


@pytest.mark.parametrize("name", PACK)
def test_a_cut_body_is_called_cut(name):
    packed = PACK[name](PAGE)
    assert {reason(packed[:cut], name)[0] for cut in range(20, len(packed) - 1)} == {"cut_encoding"}


@pytest.mark.parametrize("name", [*PACK, "raw"])
def test_a_bomb_is_unpacked_up_to_the_limit(name):
    zeros = bytes(30_000_000)
    if name == "br":
        bomb = brotli.compress(zeros, quality=1)
    else:
        bomb = (raw_deflate if name == "raw" else PACK[name])(zeros)
    before, began = pa.total_allocated_bytes(), time.process_time()
    assert reason(bomb, "deflate" if name == "raw" else name)[0] == "too_large"
    assert time.process_time() - began < 0.5
    assert pa.total_allocated_bytes() == before


@pytest.mark.parametrize(
    ("stated", "unit"),
    [("gzip", zipped(b"")), ("zstd", zstd(b"")), ("zstd", b"\x50\x2a\x4d\x18\0\0\0\0"), ("br", b"\x06")],
)
def test_millions_of_empty_streams_are_not_read_to_the_end(stated, unit):
    body, began = unit * (8_000_000 // len(unit)) + b"\xff", time.process_time()
    assert reason(body, stated, 64 << 20)[0] in {"too_large", "broken_encoding"}
    assert time.process_time() - began < 2.5


def test_gzip_members_up_to_a_number_are_read():
    assert decoded(zipped(b"a") * MAX_MEMBERS, ["gzip"], 999) == b"a" * MAX_MEMBERS
    assert reason(zipped(b"a") * (MAX_MEMBERS + 1), "gzip", 999)[0] == "too_large"


@pytest.mark.parametrize("name", PACK)
def test_the_beginning_is_decoded_from_a_first_part(name):
    page = "".join(f"<p>paragraph {number**5}</p>" for number in range(9_000)).encode()
    packed = PACK[name](page)
    assert beginning(packed, [name], 20) == page[:20]
    if name != "zstd":  # whose blocks of 128 kB are whole or nothing
        assert beginning(packed[: 16 << 10], [name], 20) == page[:20]
    with pytest.raises(EncodingError, match=f"Content-Encoding: {name}: .* unpack to nothing"):
        beginning(packed[:6] if name == "zstd" else packed[:2], [name], 20)
