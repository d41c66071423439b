"""JSON, JSONL, gzip and zip."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping

from hostile.base import CASES, SOUND


def mmc4(
    name: str, line: Callable[[], bytes], ending: str = "a.jsonl", pack: Callable[[bytes], bytes] = bytes
) -> None:
    sound = json.dumps({"text_list": [SOUND, "It is the neighbor."], "image_info": []}).encode()
    CASES[f"mmc4 {name}"] = ("mmc4", lambda: {ending: pack(b"\n".join([sound, line(), sound]))}, {})


def _zip(members: Mapping[str, bytes], level: int = 6) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return buffer.getvalue()


mmc4("gzip of 50,000 bad lines", lambda: b"x\n" * 50_000, "a.jsonl.gz", gzip.compress)
mmc4("gzip of 5,000,000 bad lines", lambda: b"x\n" * 5_000_000, "a.jsonl.gz", gzip.compress)
mmc4("line of 1 GB", lambda: b'{"text_list": ["' + b"a" * (1 << 30) + b'"]}')
mmc4(
    "gzip of a line of 1.8 GB",
    lambda: b'{"text_list": ["' + b"a" * (1800 << 20) + b'"]}',
    "a.jsonl.gz",
    lambda data: gzip.compress(data, 1),
)
mmc4(
    "1,000,000 keys",
    lambda: json.dumps({"text_list": ["a"], **{f"k{n}": 0 for n in range(900_000)}}).encode(),
)
mmc4("colliding keys", ("{" + ",".join(f'"{n * (2**61 - 1)}":0' for n in range(400_000)) + "}").encode)
mmc4("duplicate keys", lambda: b"{" + b'"text_list":[],' * 450_000 + b'"a":1}')
mmc4("nested lists", lambda: b'{"text_list": ' + b"[" * 900_000 + b"]" * 900_000 + b"}")
mmc4("number of 10^6 digits", lambda: b'{"text_list": ["a"], "x": ' + b"9" * 30_000_000 + b"}")
mmc4("float of 10^6 digits", lambda: b'{"text_list": ["a"], "x": 0.' + b"9" * 30_000_000 + b"}")
mmc4("numbers of 4,000 digits", lambda: json.dumps({"text_list": ["a"], "x": [10**4000] * 8_000}).encode())
mmc4(
    "floats of 4,000 digits",
    lambda: (
        b'{"text_list": ["a"], "x": [' + b",".join([b"0." + b"123456789" * 440 + b"e-300"] * 8_000) + b"]}"
    ),
)
mmc4("escapes", lambda: b'{"text_list": ["' + b"\\u0041" * 5_000_000 + b'"]}')
mmc4(
    "1,000,000 images",
    lambda: json.dumps(
        {"text_list": ["a b c"], "image_info": [{"image_name": "a.png", "matched_text_index": 0}] * 300_000}
    ).encode(),
)
mmc4("1,000,000 texts", lambda: json.dumps({"text_list": ["a"] * 900_000}).encode())
mmc4(
    "bad images by the 100,000",
    lambda: (
        json.dumps({"text_list": [SOUND], "image_info": [0] * 1_999}).encode()
        + b"\n"
        + b"\n".join([json.dumps({"text_list": [SOUND], "image_info": [0] * 1_999}).encode()] * 300)
    ),
)
mmc4(
    "similarity matrices",
    lambda: json.dumps(
        {"text_list": ["a"] * 900, "image_info": [], "similarity_matrix": [[0.5] * 900] * 900}
    ).encode(),
)
mmc4("null texts", lambda: b"\n".join([json.dumps({"text_list": [None] * 9_999}).encode()] * 100))
mmc4(
    "long null texts",
    lambda: b"\n".join([json.dumps({"text_list": [SOUND] + [9.123456789] * 9_998}).encode()] * 60),
)
mmc4("text of 8 MB", lambda: json.dumps({"text_list": ["word " * 1_500_000]}).encode())
mmc4("2,000 texts of 4 kB", lambda: json.dumps({"text_list": ["some words " * 360] * 2_000}).encode())
mmc4(
    "URL of 16 MB",
    lambda: json.dumps({"text_list": ["a"], "url": "http://a.org/" + "a" * 16_000_000}).encode(),
)
mmc4("BOM and spaces", lambda: b" " * 30_000_000 + b"{}")
CASES["mmc4 zip of 60,000 members"] = (
    "mmc4",
    lambda: {"a.jsonl.zip": _zip({f"{n:06d}.jsonl": b"{}\n" for n in range(60_000)})},
    {},
)
CASES["mmc4 zip of members of 1 GB"] = (
    "mmc4",
    lambda: {
        "a.jsonl.zip": _zip({f"{n}.jsonl": b'{"a": "' + bytes(1000 << 20) + b'"}\n' for n in range(4)}, 9)
    },
    {},
)
CASES["mmc4 zip overlapping"] = ("mmc4", lambda: {"a.jsonl.zip": _overlapping(200)}, {})
CASES["mmc4 zip of empty names"] = (
    "mmc4",
    lambda: {
        "a.jsonl.zip": _zip({("d/" * 30_000) + f"{n}.jsonl": b"{}\n" for n in range(20)}),
        "b.jsonl": b'{"text_list": ["a b"]}\n',
    },
    {},
)
CASES["mmc4 gzip of 500,000 members"] = (
    "mmc4",
    lambda: {"a.jsonl.gz": gzip.compress(b'{"text_list": ["a b c"]}\n') + gzip.compress(b"") * 500_000},
    {},
)


def _overlapping(count: int) -> bytes:
    """A zip file whose directory entries share one member of 100 MB."""
    made = _zip({"a.jsonl": b"\n".join([b'{"text_list": ["' + b"a" * 1_000_000 + b'"]}'] * 100)}, 9)
    at = made.index(b"PK\x01\x02")
    end = made.index(b"PK\x05\x06")
    entry = made[at:end]
    entries = b"".join(
        entry.replace(b"a.jsonl", f"a{n % 1000:03d}sonl"[:7].encode().replace(b"sonl", b"sonl"))
        for n in range(count)
    )
    entries = b"".join(
        entry[:28] + struct.pack("<H", 10) + entry[30:46] + f"{n:04d}.jsonl".encode() for n in range(count)
    )
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), at, 0)
    return made[:at] + entries + tail


def conversations(name: str, record: Callable[[], object]) -> None:
    sound = {
        "image": [],
        "conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}],
    }
    CASES[f"conversations {name}"] = (
        "conversations",
        lambda: {"a.json": json.dumps([sound, record(), sound]).encode()},
        {},
    )


conversations(
    "1,000,000 turns",
    lambda: {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}] * 200_000},
)
conversations(
    "9,900 turns",
    lambda: {
        "conversations": [{"from": "human", "value": "a question"}, {"from": "gpt", "value": "b"}] * 4_950
    },
)
conversations(
    "1,000,000 placeholders",
    lambda: {
        "image": [],
        "conversations": [{"from": "human", "value": "<image>" * 1_000_000}, {"from": "gpt", "value": "b"}],
    },
)
conversations(
    "1,000,000 images",
    lambda: {
        "image": ["a.png"] * 900_000,
        "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
    },
)
conversations(
    "turn of 7 MB",
    lambda: {"conversations": [{"from": "human", "value": "a " * 3_500_000}, {"from": "gpt", "value": "b"}]},
)
conversations(
    "turn of <",
    lambda: {"conversations": [{"from": "human", "value": "<" * 7_000_000}, {"from": "gpt", "value": "b"}]},
)
conversations("wide record", lambda: {f"k{n}": 0 for n in range(900_000)})
CASES["conversations list of 2,000,000 numbers"] = (
    "conversations",
    lambda: {
        "a.json": json.dumps(
            [0] * 2_000_000
            + [{"conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}]}]
        ).encode()
    },
    {},
)
CASES["conversations deep"] = (
    "conversations",
    lambda: {
        "a.json": b"[" * 5_000_000,
        "b.json": json.dumps(
            [{"conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}]}]
        ).encode(),
    },
    {},
)
VIST_SOUND = [
    [{"story_id": "s", "photo_flickr_id": str(n), "worker_arranged_photo_order": n, "original_text": SOUND}]
    for n in range(5)
]
VIST_PHOTOS = [{"id": str(n), "url_o": f"http://a.org/{n}.jpg"} for n in range(5)]
CASES["vist 1,000,000 pieces of a story"] = (
    "vist",
    lambda: {
        "a.json": json.dumps(
            {
                "images": VIST_PHOTOS,
                "annotations": VIST_SOUND
                + [
                    [
                        {
                            "story_id": "x",
                            "photo_flickr_id": "1",
                            "worker_arranged_photo_order": 1,
                            "original_text": "t",
                        }
                    ]
                ]
                * 200_000,
            }
        ).encode()
    },
    {},
)
CASES["vist 300,000 bad pieces"] = (
    "vist",
    lambda: {
        "a.json": json.dumps({"images": VIST_PHOTOS, "annotations": VIST_SOUND + [[{}]] * 300_000}).encode()
    },
    {},
)
CASES["vist annotation of 1,000,000 pieces"] = (
    "vist",
    lambda: {
        "a.json": json.dumps({"images": VIST_PHOTOS, "annotations": [*VIST_SOUND, [{}] * 490_000]}).encode()
    },
    {},
)
CASES["vist wide photograph"] = (
    "vist",
    lambda: {
        "a.json": json.dumps(
            {"images": [*VIST_PHOTOS, {f"k{n}": 0 for n in range(2_000_000)}], "annotations": VIST_SOUND}
        ).encode()
    },
    {},
)
