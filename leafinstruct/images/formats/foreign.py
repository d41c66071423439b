"""Name the format of a file that is not decoded, by its first bytes.

Images in formats that no browser but one shows have a reason of their own (`heic`), so that a report names
what a folder contains. They are not read: the wheels of HEIC decoders contain libraries that are not under a
permissive license, and Pillow has no decoder of JPEG XL.
"""

from __future__ import annotations

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_IMAGES = (
    (b"\xff\x0a", "jxl", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "jp2", "JPEG 2000"),
    (b"II\xbc\x01", "jxr", "JPEG XR"),
    (b"\0\0\1\0", "ico", "an icon"),
    (b"8BPS", "psd", "Photoshop"),
)
"""First bytes, reason, name."""
_OTHERS = (
    (b"%PDF-", "a PDF document"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\x1f\x8b", "a file that is packed with gzip"),
    (b"PK\x03\x04", "a zip file"),
)
_COMPATIBLE = 256
"""Bytes of a `ftyp` box that are looked at."""


def foreign(data: bytes) -> tuple[str, str] | None:
    """Return (reason, detail) of a file in a known format that is not decoded, else None. Reasons: heic, jxl,
    jp2, jxr, ico, psd; not_an_image with the name of the format."""
    if data[4:8] == b"ftyp":
        brands = data[8 : min(_COMPATIBLE, max(16, int.from_bytes(data[:4], "big")))]
        known = {brands[at : at + 4] for at in range(0, len(brands), 4)}
        if b"avif" in known or b"avis" in known:
            return None
        if not known.isdisjoint((*_HEIC, b"mif1", b"msf1")):
            return "heic", _unread("HEIC")
        return "not_an_image", "a video (MP4 or QuickTime)"
    for begins, reason, name in _IMAGES:
        if data.startswith(begins):
            return reason, _unread(name)
    return next((("not_an_image", name) for begins, name in _OTHERS if data.startswith(begins)), None)


def _unread(name: str) -> str:
    return f"{name} is not read; convert it to JPEG or PNG"
