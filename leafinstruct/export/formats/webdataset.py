"""WebDataset: tar shards in which a sample is a JSON member and its images.

    <key>.000.png  <key>.001.jpg  ...  <key>.json
    {"messages": [{"role", "content": [{"type": "text", "text"} | {"type": "image"}]}],
     "images": ["000.png", "001.jpg"], ...}

`images` lists the members in the order of the `{"type": "image"}` parts over all turns; texts contain no
placeholders. The key is the row's id if it consists of letters, digits, `-` and `_`, else a hash of it:
WebDataset cuts a name at its first dot, and a name from the data could be a path. Bytes depend only on the
rows: members in the order of their names, no time, no owner, mode 644.
"""

from __future__ import annotations

import hashlib
import re

from leafinstruct.export.format import Files, Format
from leafinstruct.export.row import ExportedImage, Sample
from leafinstruct.records.escaping import ESCAPED

_KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")


def key(sample: Sample) -> str:
    identity = sample.row.id
    return identity if _KEY.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest()[:16]


def members(sample: Sample) -> list[tuple[str, bytes]]:
    """Suffix and bytes of the images' members. Numbers are zero-padded, so that sorting keeps the order."""
    digits = max(3, len(str(len(sample.images))))
    return [(f"{at:0{digits}}.{image.suffix}", image.data) for at, image in enumerate(sample.images)]


def record(sample: Sample) -> dict[str, object]:
    return {
        "id": sample.row.id,
        "task": sample.row.task,
        "messages": [
            {"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in sample.turns
        ],
        "images": [name for name, _ in members(sample)],
        **sample.origin(),
        "escaped": ESCAPED,
    }


def _content(part: str | ExportedImage) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


def loading(name: str, files: Files) -> str:  # noqa: ARG001 - the signature of Format.loading
    names = files.get("train") or next(iter(files.values()))
    stem, last = names[0].removesuffix("-000000.tar"), len(names) - 1
    return f"""In Python, with `pip install webdataset`:

    import webdataset as wds
    for sample in wds.WebDataset("{stem}-{{000000..{last:06}}}.tar", shardshuffle=False).decode("pil"):
        record = sample["json"]
        images = [sample[name] for name in record["images"]]

The `{{"type": "image"}}` parts of `messages` refer to the images in order, over all turns.
"""


FORMAT = Format(
    name="webdataset",
    title="WebDataset tar shards",
    packing="tar",
    placeholders=(),
    record=record,
    loading=loading,
    answers=(
        "They are parts of the assistant's content; the code that reads the samples decides how to use them."
    ),
)
