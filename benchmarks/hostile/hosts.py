"""Subtitles, files of hosts, and folders for `leaf init --from`."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable

from hostile.base import CASES, giant
from hostile.tables import columns_of, table


def subtitles(name: str, text: Callable[[], str], ending: str = ".vtt") -> None:
    CASES[f"subtitles {name}"] = ("subtitles", lambda: {f"a{ending}": text().encode()}, {})


def _cue(start: int, end: int) -> str:
    return (
        f"{start // 3600:02d}:{start // 60 % 60:02d}:{start % 60:02d}.000 --> "
        f"{end // 3600:02d}:{end // 60 % 60:02d}:{end % 60:02d}.000\n"
    )


subtitles(
    "180,000 cues", lambda: "WEBVTT\n\n" + "".join(f"{_cue(n, n + 1)}word {n}\n\n" for n in range(160_000))
)
subtitles(
    "180,000 cues, srt",
    lambda: "".join(f"{n}\n{_cue(n, n + 1).replace('.', ',')}w {n}\n\n" for n in range(150_000)),
    ".srt",
)
subtitles(
    "overlapping cues",
    lambda: "WEBVTT\n\n" + "".join(f"{_cue(1, 90_000)}word {n}\n\n" for n in range(160_000)),
)
subtitles("cue of 7 MB", lambda: "WEBVTT\n\n" + _cue(1, 2) + "word " * 1_500_000)
subtitles("cue of 1,000,000 lines", lambda: "WEBVTT\n\n" + _cue(1, 2) + "w\n" * 3_500_000)
subtitles(
    "two cues of 1,000,000 lines",
    lambda: (
        "WEBVTT\n\n"
        + _cue(1, 2)
        + "w\n" * 1_500_000
        + "\n"
        + _cue(2, 3)
        + "w\n" * 1_500_000
        + "\n"
        + _cue(3, 4)
        + "w\n" * 500_000
    ),
)
subtitles(
    "rolling cues of 2,000 lines",
    lambda: "WEBVTT\n\n" + "\n".join(_cue(n, n + 1) + "w\n" * 2_000 for n in range(1_500)),
)
subtitles("tags", lambda: "WEBVTT\n\n" + _cue(1, 2) + "<b" * 3_500_000)
subtitles("brackets", lambda: "WEBVTT\n\n" + _cue(1, 2) + "[" * 7_000_000)
subtitles("brackets and music", lambda: "WEBVTT\n\n" + _cue(1, 2) + "(♪" * 1_500_000)
subtitles("notes", lambda: "WEBVTT\n\n" + "NOTE\n" * 1_500_000)
subtitles("notes apart", lambda: "WEBVTT\n\n" + "NOTE x\n\n" * 900_000)
subtitles("note of lines", lambda: "WEBVTT\n\nNOTE x\n" + "y\n" * 3_500_000)
subtitles("identifiers", lambda: "WEBVTT\n\n" + "x\n\n" * 2_500_000)
subtitles("one line of 7 MB before", lambda: "WEBVTT\n\n" + "x" * 7_000_000 + "\n\ny\n")
subtitles("arrows", lambda: "WEBVTT\n\n" + "-->" * 2_500_000)
subtitles("times", lambda: "WEBVTT\n\n" + "1:" * 3_500_000)
subtitles("times of digits", lambda: "WEBVTT\n\n" + "1" * 7_000_000)
subtitles("spaces", lambda: "WEBVTT\n\n" + _cue(1, 2) + " " * 7_000_000 + "x")
subtitles("digits in an srt", lambda: "1\n" * 3_500_000, ".srt")
subtitles("newlines", lambda: "WEBVTT" + "\n" * 7_500_000)
subtitles("speakers", lambda: "WEBVTT\n\n" + _cue(1, 2) + ">" * 7_000_000)
subtitles("entities", lambda: "WEBVTT\n\n" + _cue(1, 2) + "&" * 7_000_000)
subtitles("overrides", lambda: "WEBVTT\n\n" + _cue(1, 2) + "{\\" * 3_500_000)
subtitles("long hours", lambda: f"WEBVTT\n\n{'9' * 4_000}:00:00.000 --> 99:00:00.000\nx")
subtitles(
    "hours of 3,000,000 digits",
    lambda: f"WEBVTT\n\n{'9' * 3_000_000}:00:00.000 --> {'9' * 3_000_000}:00:00.000\nx",
)


CASES["robots of 500 kB"] = ("robots", lambda: {"a": b"User-agent: *\n" + b"Disallow: /a\n" * 38_000}, {})
CASES["robots of stars"] = ("robots", lambda: {"a": b"User-agent: *\nDisallow: " + b"*a" * 250_000}, {})
CASES["robots of many stars"] = (
    "robots",
    lambda: {"a": b"User-agent: *\n" + (b"Disallow: /" + b"*a" * 100 + b"\n") * 2_300},
    {},
)
CASES["robots of 40 stars and a dollar"] = (
    "robots",
    lambda: {"a": b"User-agent: *\n" + (b"Disallow: /" + b"*a" * 40 + b"$\n") * 5_000},
    {},
)
CASES["robots of user agents"] = ("robots", lambda: {"a": b"User-agent: a\n" * 36_000 + b"Disallow: /\n"}, {})
CASES["robots crawl-delay of digits"] = (
    "robots",
    lambda: {"a": b"User-agent: *\nCrawl-delay: " + b"9" * 500_000},
    {},
)
CASES["tdmrep of 10,000 rules"] = (
    "tdmrep",
    lambda: {"a": json.dumps([{"location": "/*a" * 8, "tdm-reservation": 0}] * 9_000).encode()[: 500 << 10]},
    {},
)
CASES["tdmrep of stars"] = (
    "tdmrep",
    lambda: {"a": json.dumps([{"location": "*a" * 240_000, "tdm-reservation": 1}]).encode()},
    {},
)
CASES["init 20,000 pages"] = ("init", lambda: {f"{n}.html": b"<p>x" for n in range(10_000)}, {})
CASES["init 5,000 endings"] = ("init", lambda: {f"a.x{n}": b"{}" for n in range(5_000)}, {})
CASES["init wide rows"] = (
    "init",
    lambda: {"a.jsonl": json.dumps({f"k{n}": "v w" for n in range(300_000)}).encode() + b"\n"},
    {},
)
CASES["init wide Parquet"] = (
    "init",
    lambda: {"a.parquet": table(columns_of(x=[1] * 16, **{f"c{n}": ["a b"] * 16 for n in range(8_000)}))},
    {},
)
CASES["init json object of 8 MB"] = ("init", lambda: {"a.json": b'{"a": "' + b"x" * 8_000_000}, {})
CASES["init photo ids"] = (
    "init",
    lambda: {"a.json": b'{"story_id": 1, ' + b'"photo_flickr_id"   ' * 400_000},
    {},
)
CASES["init spaces"] = ("init", lambda: {"a.jsonl": b" " * 16_000_000 + b"{}"}, {})
CASES["init page name of a bomb"] = ("init", lambda: {"a.jsonl.gz": giant(4 << 30)}, {})
CASES["init tar of members"] = ("init", lambda: {"a.tar": b"".join([_member(n) for n in range(15_000)])}, {})
CASES["init gzip of a bomb in a list"] = ("init", lambda: {"a.json": b"[" + b"{}," * 2_600_000}, {})


def _member(number: int) -> bytes:
    info = tarfile.TarInfo(f"{number}.txt")
    return info.tobuf(tarfile.USTAR_FORMAT)
