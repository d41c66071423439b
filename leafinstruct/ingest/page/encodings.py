"""Decode bytes as the WHATWG's Encoding Standard does, which all browsers follow.

Its names are older than its tables: a page that is labeled `shift_jis` was written on Windows. Python's
codecs have the tables of the standards with those names, so each encoding is a codec of Python with a larger
table, and corrections of it:

    label              codec            corrections
    latin-1, ascii     cp1252           undefined bytes are control characters, in all windows- encodings
    gbk, gb2312        gb18030          0x80 is the euro sign; 20 characters that Unicode got later
    big5               big5hkscs        characters of HKSCS-2008 and of ETEN
    euc-kr             cp949
    shift_jis          cp932            0xA0 and 0xFD to 0xFF are errors
    euc-jp             euc_jp           rows 13 and 89 to 92 (①, ㈱, 髙), six signs of two code points
    iso-2022-jp        iso2022_jp_ext   the same

Bytes that mean nothing become one U+FFFD, and what follows is read in step: an ASCII byte after a bad one
stays, and a second bad byte belongs to the first (the standard's decoders, "prepend byte to ioQueue"). Python
reads the second one as the beginning of the next character, which garbles everything up to the next ASCII
character. Compared with all indexes of the standard (May 2026): equal, except for 0x8FA2B7 of
euc-jp, 0xA241 and 0xA242 of big5 (three slashes and a tilde of full width).

The standard refuses hz-gb-2312 and iso-2022-kr, because scripts can be smuggled in them. Scripts are not read
here, so these two are decoded.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from resiliparse.parse.encoding import map_encoding_to_html5

BAD = "\ufffd"
MAX_BAD = 50_000
"""Corrected places of a text; the codec alone reads what follows. 50,000 take 0.1 s."""

_CODECS = {
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-11": "cp874",
}
"""Codec of a name -> the one with the larger table."""
_MORE_LABELS = {
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "x-user-defined": "cp1252",
    "hz-gb-2312": "hz",
    "iso-2022-kr": "iso2022_kr",
    "csiso2022kr": "iso2022_kr",
    "uhc": "cp949",
}
_CODE_PAGE = re.compile(r"(?:cp|ms|win|windows)-?(\d{3,5})")
_CODE_PAGES = {
    "932": "cp932",
    "936": "gb18030",
    "949": "cp949",
    "950": "big5hkscs",
    "874": "cp874",
    "866": "cp866",
    "65001": "utf-8",
    "54936": "gb18030",
} | {str(page): f"cp{page}" for page in range(1250, 1259)}
"""Numbers of Windows' code pages, which pages use as labels although no standard has these."""
MULTIBYTE = frozenset(
    {"gb18030", "big5hkscs", "cp949", "cp932", "euc_jp", "iso2022_jp_ext", "iso2022_kr", "hz"}
)
"""Codecs in which a character can have several bytes, without those of Unicode."""
SEVEN_BIT = frozenset({"iso2022_jp_ext", "iso2022_kr", "hz"})
"""Codecs that use ASCII bytes for other characters."""

_SIGNS = {"〜": "～", "‖": "∥", "\u2212": "－", "¢": "￠", "£": "￡", "¬": "￢"}  # noqa: RUF001
_LATER = dict(
    zip(
        "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
        "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
        "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
        "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
        strict=True,
    )
)
_OTHERS: dict[str, dict[str, str]] = {
    "gb18030": _LATER,
    "euc_jp": _SIGNS,
    "iso2022_jp_ext": _SIGNS,
    "cp932": dict.fromkeys("\uf8f0\uf8f1\uf8f2\uf8f3", BAD),
    "big5hkscs": dict(zip("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡", strict=True)),  # noqa: RUF001
    "koi8-u": {"╝": "ў", "╬": "Ў"},
}
"""Characters that a codec gives and the standard does not -> those of the standard."""
_BIG5 = (
    "877a㡵𡵓𣚞𦀡㻬 87a1𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘"
    "穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋 8e69箸 8e6f簆 8e7e糎 8eab緒 8eb4縝 8ecd者 8ed0耨 8f57"
    "菁 8f69蒨 8f6e萏 8fcb覦覩 8ffe起 906d都 907a銹 90dc靜 90f1響 91bf鼖 9244蔃 92af兙兛兝兞 92c8鍮 92d1"
    "瑹 9447浧 94ca禛 95d9邗 9644靝 96ed瀞 96fc嬨 9b76爁 9b78矗 9b7b纇 9bc6駖 9bde釔 9bec惞 9bf6澶 9c42輶"
    " 9c53侻 9c62營 9c68鄄 9c6b鷰 9c77菏 9cbc尐秣 9cd0婧 9d57輋 9d5a筑 9dc4拐 9ea9恢 9eef痹 9efd汊 9f60鬮"
    " 9f66鼗 9fcb僭 9fd8弌 a063蠏 a077拎 a0d5瑨 a0df煢 a0e4牐 a3c0␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€ c6cf"
    "廴 c6d3无 c6d5癶 c6d7隶 c6de〃仝 fa5f倩 fa66偽 fabd包 fac5卄 fad5卿 fb48嘅 fbb8婷 fbf3幵 fbf9廐 fc4f"
    "彘 fc6c悤 fcb9撐 fce2晴 fcf1杞 fdb7沜渝 fdbb港 fdf1煮 fe52猪 fe6f瑜 feaa瓩 fedd砉"
)
"""Characters of the standard's Big5 that Python's lacks: runs, each after the code of its first character."""
_TO_BIG5 = {int(run[:4], 16) + place: char for run in _BIG5.split() for place, char in enumerate(run[4:])}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and its bad places, each one U+FFFD."""

    text: str
    bad: int


def codec_of(label: str | None) -> str | None:
    """The codec of a label, as browsers read it, also in quotes; None for an unknown one."""
    known = (label or "").strip(" \t\n\f\r\"'").lower()
    name = map_encoding_to_html5(known, fallback_utf8=False) or _MORE_LABELS.get(known)
    if name is None:
        bare = known.replace("_", "-")
        page = _CODE_PAGE.fullmatch(bare)
        name = _CODE_PAGES.get(page[1]) if page else map_encoding_to_html5(bare, fallback_utf8=False)
    return _CODECS.get(name, name) if name else None


def decode_as(data: bytes, codec: str) -> Decoded:
    """Decode with a codec of `codec_of`. Never raises. Linear in the bytes."""
    if codec in MULTIBYTE:
        text = _many(data, codec)
    elif codec.startswith("utf"):
        text = data.decode(codec, errors="replace")
        written = data.count(BAD.encode()) if codec == "utf-8" else 0
        return Decoded(text, text.count(BAD) - written)
    else:
        text = codecs.charmap_decode(data, "replace", _table(codec))[0]
    for other, char in _OTHERS.get(codec, {}).items():
        text = text.replace(other, char)
    return Decoded(text, text.count(BAD))


def _many(data: bytes, codec: str) -> str:
    _budget.left = MAX_BAD
    return data.decode(codec, errors=f"leafinstruct.{codec}")


@lru_cache(maxsize=64)
def _table(codec: str) -> str:
    """The 256 characters of a codec."""
    chars = []
    for byte in range(256):
        char = bytes([byte]).decode(codec, errors="replace")
        if char == BAD and codec.startswith("cp"):
            char = (
                chr(byte) if 0x80 <= byte < 0xA0 else "\u05ba" if (codec, byte) == ("cp1255", 0xCA) else BAD
            )
        chars.append(char)
    return "".join(chars)


def _from_jis(row: int, cell: int) -> str:
    """The character at row and cell (0x21 to 0x7E) of JIS X 0208 as Windows extended it; empty if there is
    none."""
    lead = (row - 0x21) // 2 + 0x81
    trail = cell + (0x1F + (cell >= 0x60) if row % 2 else 0x7E)
    try:
        return bytes([lead + 0x40 * (lead >= 0xA0), trail]).decode("cp932")
    except UnicodeDecodeError:
        return ""


def _gb18030(data: bytes, at: int) -> str:
    return "€" if data[at] == 0x80 else ""


def _big5(data: bytes, at: int) -> str:
    return _TO_BIG5.get(int.from_bytes(data[at : at + 2]), "")


def _euc_jp(data: bytes, at: int) -> str:
    pair = data[at : at + 2]
    known = len(pair) == 2 and all(0xA1 <= byte <= 0xFE for byte in pair)
    return _from_jis(pair[0] - 0x80, pair[1] - 0x80) if known else ""


def _iso2022_jp(data: bytes, at: int) -> str:
    pair = data[at : at + 2]
    known = len(pair) == 2 and all(0x21 <= byte <= 0x7E for byte in pair)
    return _from_jis(pair[0], pair[1]) or BAD if known else ""


def _none(data: bytes, at: int) -> str:  # noqa: ARG001 - one signature for all codecs
    return ""


_DOUBLE, _SINGLE = frozenset(range(0x81, 0xFF)), frozenset[int]()
_LEADS = {
    "gb18030": (_gb18030, _DOUBLE),
    "big5hkscs": (_big5, _DOUBLE),
    "cp949": (_none, _DOUBLE),
    "cp932": (_none, frozenset((*range(0x81, 0xA0), *range(0xE0, 0xFD)))),
    "euc_jp": (_euc_jp, frozenset((0x8E, 0x8F, *range(0xA1, 0xFF)))),
    "iso2022_jp_ext": (_iso2022_jp, _SINGLE),
    "iso2022_kr": (_none, _SINGLE),
    "hz": (_none, _SINGLE),
}
"""Codec -> the characters that it lacks, and the bytes that begin a character of two."""


class _Budget(threading.local):
    """left: how many places of the text that a thread decodes may still be corrected."""

    left = MAX_BAD


_budget = _Budget()


def _corrector(
    codec: str, more: Callable[[bytes, int], str], leads: frozenset[int]
) -> Callable[[UnicodeError], tuple[str, int]]:
    """An error handler of `codecs` that reads on in step."""

    def correct(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        data, at = error.object, error.start
        _budget.left -= 1
        if _budget.left < 0:
            return data[at:].decode(codec, errors="replace"), len(data)
        following = data[at + 1] if at + 1 < len(data) else 0
        if char := more(data, at):
            return char, at + (1 if data[at] == 0x80 else 2)
        width = 2 if data[at] in leads and following >= 0x80 else 1
        return BAD, at + width + (width == 2 and data[at] == 0x8F and data[at + 2 : at + 3] >= b"\x80")

    return correct


for _codec, (_more, _firsts) in _LEADS.items():
    codecs.register_error(f"leafinstruct.{_codec}", _corrector(_codec, _more, _firsts))
