"""Documents, pictures and recipes made by hand for tests. Imported by name from test files through the tests folder on sys.path."""

from __future__ import annotations

import io
import json
from pathlib import Path

import yaml
from PIL import Image as Pil

from leafinstruct.records.document import Document, Image, Provenance, Ref, Text, document_id


def document(*parts: str, source: str = "made", file: str = "a.html", locator: str = "", url: str | None = None) -> Document:
    """`!name` is a picture name.png with sha256 `name`; `# x` a heading; `> x` a caption; `- x` a list item; everything else prose."""
    kinds = {"# ": "heading", "> ": "caption", "- ": "list"}
    segments = []
    for position, part in enumerate(parts):
        if part.startswith("!"):
            name = part[1:]
            segments.append(Image(position, Ref(file=f"{name}.png"), sha256=name, width=64, height=64, format="PNG", state="ok"))
        else:
            kind = kinds.get(part[:2], "prose")
            segments.append(Text(position, part if kind == "prose" else part[2:], kind))
    return Document(document_id(source, file, locator), source, tuple(segments), Provenance(file, locator), url)


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (96, 64), dot: int = 0) -> bytes:
    """A small picture with two colours, so that it is neither blank nor like its neighbour."""
    picture = Pil.new("RGB", size, colour)
    picture.paste((20, 20, 120), (dot, 4, dot + 20, 40))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def mmc4(folder: Path, documents: dict[str, list[tuple[str, bytes | None]]], name: str = "docs.jsonl") -> Path:
    """An MMC4 source: url -> [(sentence, picture that stands with it or None), ...]."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (url, steps) in enumerate(documents.items()):
        infos = []
        for index, (_, data) in enumerate(steps):
            if data is None:
                continue
            image = f"{Path(name).stem}-{number}-{index}.png"
            (folder / "images" / image).write_bytes(data)
            infos.append({"image_name": image, "raw_url": f"{url}/{image}", "matched_text_index": index})
        lines.append(json.dumps({"url": url, "text_list": [text for text, _ in steps], "image_info": infos}))
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def recipe(folder: Path, **sections: object) -> Path:
    """recipe.yaml in a folder, named `t`, working there."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "t", "workdir": ".", **sections}, sort_keys=False), encoding="utf-8")
    return path
