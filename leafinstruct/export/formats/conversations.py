"""JSON of InterleavedBench and LeafInstruct, which the source `kind: conversations` reads.

    [{"id", "image": [path, ...], "task_name",
      "conversations": [{"from": "human" | "gpt", "value": "... <image> ..."}, ...], ...}]

The images replace `<image>` in order over all turns, in questions and answers. A record also states its
origin; `escaped` names the escaping rule of its texts, which ingest reverses. Source: the public files of
InterleavedBench (arXiv 2406.14643).
"""

from __future__ import annotations

from leafinstruct.export.format import Files, Format
from leafinstruct.export.row import Sample
from leafinstruct.records.escaping import ESCAPED

PLACEHOLDER = "<image>"
SPEAKERS = {"user": "human", "assistant": "gpt"}


def record(sample: Sample) -> dict[str, object]:
    return {
        "id": sample.row.id,
        "image": [image.path for image in sample.images],
        "task_name": sample.row.task,
        "conversations": [
            {"from": SPEAKERS[turn.role], "value": turn.with_placeholders(PLACEHOLDER)}
            for turn in sample.turns
        ],
        **sample.origin(),
        "escaped": ESCAPED,
    }


def loading(name: str, files: Files) -> str:  # noqa: ARG001 - the signature of Format.loading
    return f"""Each `.json` file is a list of records. Paths of images are relative to this folder. In Python:

    import json
    records = json.load(open("{next(iter(files.values()))[0]}", encoding="utf-8"))

`leaf build` reads the file, and unescapes its texts, with this source in a recipe:

    ingest:
      sources:
        - {{kind: conversations, name: again, path: THIS_FOLDER/{next(iter(files.values()))[0]}}}
"""


FORMAT = Format(
    name="conversations",
    title="InterleavedBench / LeafInstruct conversations",
    packing="list",
    placeholders=(PLACEHOLDER,),
    record=record,
    loading=loading,
    answers="They are part of the format: `<image>` in an answer is an image of the answer.",
)
