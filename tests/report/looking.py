"""A run made by hand for the page's tests: tables as the stages write them, without a model, with texts and
images of a hostile page."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import making
from PIL import Image as Pil
from PIL import ImageCms

from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.example import Example, Turn, example_id
from leafinstruct.records.rows import Drop
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.runtime.files import writing
from leafinstruct.runtime.stage_report import StageReport

STAGES = ("ingest", "filter", "rewrite", "shard")
SECRET = b"HOSTILE-BYTES-OF-A-IMAGE"
HOSTILE = (
    "</script><script>window.hit = 'script'</script>",
    "<img src=x onerror=\"window.hit = 'handler'\"><svg onload=\"window.hit = 'svg'\">",
    "{{policy}} {{data}} ${window.hit = 'braces'} <!-- <script> ]]>",
    "line\u2028separator\u2029and\x00nul\x1b[31m\u202ereversed",
    "javascript:window.hit='address'",
)
RULES = [
    {"score": "text.words", "min": 3.0, "max": None, "model": None, "drop": None, "uncalibrated": False},
    {"score": "image.side", "min": 48.0, "max": None, "model": None, "drop": None, "uncalibrated": False},
]


def chain(folder: Path) -> dict[str, Artifact]:
    """The artifacts of a run in a folder, as the pipeline links them."""
    stages: dict[str, Artifact] = {}
    upstream = None
    for name in STAGES:
        upstream = stages[name] = Artifact(folder / name, upstream)
    return stages


def image_bytes(number: int, side: int = 96) -> bytes:
    """A PNG whose comment and color profile hold SECRET."""
    from PIL import PngImagePlugin

    image = Pil.open(io.BytesIO(making.png((number * 40 % 256, 90, 200 - number), (side, side), dot=number)))
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", SECRET.decode())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=notes, icc_profile=profile)
    return buffer.getvalue() + SECRET


def commit(
    artifact: Artifact,
    part: str,
    files: Mapping[str, tuple[Sequence[dict[str, Any]], Any]],
    report: Mapping[str, Any],
) -> None:
    """Write tables of a part (kind -> rows and schema) and its report."""
    paths = []
    for kind, (rows, schema) in files.items():
        with writing(artifact.file(kind, part)) as temporary:
            table.write(temporary, rows, schema)
        paths.append(artifact.file(kind, part))
    artifact.commit(part, "key", StageReport.of(report), paths)


def finish(artifact: Artifact, more: Mapping[str, Any] | None = None) -> None:
    above = artifact.upstream.record if artifact.upstream else None
    fingerprint = {**(more or {}), **({"input": above["output"]} if above else {})}
    report = artifact.record
    assert report is None
    artifact.finish(fingerprint)


def make(
    folder: Path,
    documents: Sequence[Document],
    until: str = "rewrite",
    data: Mapping[str, bytes] | None = None,
    parts: int = 1,
) -> dict[str, Artifact]:
    """A run of the parts `made-0`, ...: every second document of each is dropped by text.words, the others
    are kept, and become examples with `until="rewrite"`. data: sha256 -> bytes of images, which all parts
    hold."""
    stages = chain(folder)
    settings = {
        "filter": {"rules": RULES, "min_images": 0, "min_words": 0, "alignment": {"share_above": None}}
    }
    more = {"filter": {**settings, "active_rules": [rule["score"] for rule in RULES]}}
    size = -(-len(documents) // parts)
    for stage, write in (("ingest", _ingest), ("filter", _filter), ("rewrite", _rewrite)):
        for number in range(parts):
            write(stages[stage], f"made-{number}", documents[number * size : (number + 1) * size], data or {})
        finish(stages[stage], more.get(stage))
        if stage == until:
            break
    return stages


def _ingest(artifact: Artifact, part: str, documents: Sequence[Document], data: Mapping[str, bytes]) -> None:
    counts = {"documents": len(documents), "images": sum(len(document.images) for document in documents)}
    rows = [table.document_row(document) for document in documents]
    commit(artifact, part, {"documents": (rows, table.DOCUMENTS)}, {"counts": counts})


def _filter(artifact: Artifact, part: str, documents: Sequence[Document], data: Mapping[str, bytes]) -> None:
    drop = Drop("text.words", 2.0, 3.0, "ok", None, "")
    kept, dropped = documents[::2], documents[1::2]
    cells = [
        {
            "document_id": document.id,
            "name": "text.words",
            "position": None,
            "value": 2.0 if document in dropped else 9.0,
            "state": "ok",
        }
        for document in documents
    ]
    cells += [
        {"document_id": document.id, "name": name, "position": image.position, "value": value, "state": "ok"}
        for document in kept
        for image in document.images
        for name, value in (("image.decoded", 1.0), ("image.side", 96.0))
    ]
    blank = {"detail": "", "model": None}
    commit(
        artifact,
        part,
        {
            "documents": ([table.document_row(document, []) for document in kept], table.DECISIONS),
            "dropped": ([table.document_row(document, [drop]) for document in dropped], table.DECISIONS),
            "scores": ([{**blank, **cell} for cell in cells], table.SCORES),
            "images": ([_image_row(name, content) for name, content in data.items()], table.IMAGES),
        },
        {"counts": {"documents": len(documents), "kept": len(kept)}, "reasons": {"text.words": len(dropped)}},
    )


def _rewrite(artifact: Artifact, part: str, documents: Sequence[Document], data: Mapping[str, bytes]) -> None:
    examples = [
        Example(
            example_id(document.id, "guide"),
            document.id,
            document.source,
            "guide",
            (
                Turn("user", (HOSTILE[0],)),
                Turn("assistant", tuple(getattr(item, "text", item) for item in document.segments)),
            ),
            document.provenance,
        )
        for document in documents[::2]
    ]
    rows = [table.example_row(example) for example in examples]
    commit(
        artifact,
        part,
        {"examples": (rows, table.EXAMPLES), "dropped": ([], table.DECISIONS)},
        {"counts": {"examples": len(rows)}},
    )


def _image_row(name: str, content: bytes) -> dict[str, Any]:
    size = {"width": 96, "height": 96, "format": "PNG"}
    plain = {
        "ref": f"{name}.png",
        "file": f"{name}.png",
        "stamp": "",
        "state": "ok",
        "reason": "",
        "scores": [],
    }
    return {**plain, **size, "sha256": name, "bytes": content}


def hostile(folder: Path, count: int = 30, parts: int = 1) -> dict[str, Artifact]:
    """A run whose texts, addresses, names and images all attack the page."""
    documents = [
        making.document(
            f"# {HOSTILE[number % len(HOSTILE)]}", f"!p{number}", f"word{number} {HOSTILE[(number + 1) % len(HOSTILE)]}",  # noqa: E501
            source="made", file=f"{number}<b>.html", url=HOSTILE[4] if number % 3 else f"https://example.org/{number}",
        )
        for number in range(count)
    ]  # fmt: skip
    return make(
        folder, documents, data={f"p{number}": image_bytes(number) for number in range(count)}, parts=parts
    )


class Page(HTMLParser):
    """The elements of a page, as a browser would find them: tags, and the text of each script by its id (`""`
    for those that run)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.policy = ""
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.policy = found["content"] or "" if found.get("http-equiv") else self.policy
        if tag == "script":
            self._inside = found.get("id") or ""
            self.scripts.append((self._inside, ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = None if tag == "script" else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            name, text = self.scripts[-1]
            self.scripts[-1] = (name, text + data)


def digest(text: str) -> str:
    import base64

    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
