"""Inputs with very many of something that a parser expects few of. Each is small on disk and contains one
valid record beside the hostile one.

CASES: name -> (kind of source, files as name -> bytes, further keys of the source). The kind `image` is
decoded, `init` is read as by `leaf init --from`, `robots` and `tdmrep` are read as the files of a host; every
other kind goes through a complete offline build.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

Files = dict[str, bytes]
Case = tuple[str, Callable[[], Files], Mapping[str, Any]]
CASES: dict[str, Case] = {}
SOUND = (
    "This sound record has enough plain English words to be kept by the build, and it must survive "
    "whatever stands beside it."
)

STEPS = (
    f"<h1>How to test a build</h1><p>{SOUND}<p><img src=s.png><h2>The second step</h2><p>Look at the "
    f"report. {SOUND}<p><img src=r.png>"
)


def png(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def numbered(form: str, count: int, between: str = "") -> str:
    return between.join(form.replace("#", str(number)) for number in range(count))


def giant(size: int, head: bytes = b"", sign: bytes = b"\0") -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    step = sign * (1 << 24)
    return pack.compress(head) + b"".join(pack.compress(step) for _ in range(size >> 24)) + pack.flush()
