"""Render an answer as one HTML page: prompt, answer with its images, and what generated it.

The page is one file with inlined images, so it can be moved, mailed and opened from a disk. It has no script,
and its policy allows neither scripts nor anything from other servers. All text is escaped, because prompts,
answers and names of adapters come from strangers. Chosen: html.escape at the few places where text enters,
over a template engine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Literal, TypedDict

SMALL = 256
"""Side in pixels below which an image is shown smaller than the column: enlarged it would be blurred."""
_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #22211f; --soft: #6b6860; --line: #dedad0;
  --card: #f1eee6; --warn: #8a4b08; --warn-card: #fdf1dc }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191a1c; --ink: #e6e3dc; --soft: #9b978d; --line: #35363a; --card: #232528; --warn: #f0b767; --warn-card: #33291a }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.125rem/1.6 Charter, "Bitstream Charter", Cambria, Georgia, serif }
main { max-width: 42rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
h1, dt, figcaption, footer, summary { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { margin: 2.5rem 0 .75rem; font-size: .8rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; color: var(--soft) }
h1:first-child { margin-top: 0 }
section > :first-child { margin-top: 0 }
section > :last-child { margin-bottom: 0 }
.prompt { padding: 1.1rem 1.25rem; border-radius: .6rem; background: var(--card) }
p { margin: 1rem 0; white-space: pre-wrap; overflow-wrap: anywhere }
figure { margin: 1.5rem 0 }
img { display: block; width: 28rem; max-width: 100%; height: auto; border-radius: .4rem; border: 1px solid var(--line); background: #fff }
.prompt img, img.small { width: 14rem }
figcaption, footer { color: var(--soft); font-size: .8rem }
figcaption { margin-top: .35rem }
.note { padding: .7rem 1rem; border-left: .25rem solid var(--warn); border-radius: .25rem; font-size: 1rem }
.note { background: var(--warn-card); color: var(--warn) }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line) }
summary { cursor: pointer }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 1rem 0 0 }
dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
@media (max-width: 30rem) {
  body { font-size: 1.0625rem }
  main { padding: 1.5rem 1rem 3rem }
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .5rem }
}
"""  # noqa: E501
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
)


class TextPart(TypedDict):
    """A text of prompt or answer."""

    type: Literal["text"]
    text: str


class ImagePart(TypedDict):
    """An image of prompt or answer. file: in the folder; width, height: of the original, in pixels."""

    type: Literal["image"]
    file: str
    width: int
    height: int
    sha256: str


class UnfinishedPart(TypedDict):
    """An image that was cut after `steps` of its `of` steps."""

    type: Literal["unfinished"]
    steps: int
    of: int


Part = TextPart | ImagePart | UnfinishedPart


class BaseNames(TypedDict):
    """Names of a base, of its backbone and of the type of its weights."""

    name: str | None
    backbone: str | None
    type: str


class AdapterNames(TypedDict):
    """Name and sha256 of an adapter."""

    name: str | None
    sha256: str | None


class Origin(TypedDict):
    """What generated an answer."""

    base: BaseNames
    adapter: AdapterNames | None
    device: str
    versions: dict[str, str]


class Record(Origin):
    """The contents of segments.json. settings: the fields of backbones.generate.Settings."""

    leafinstruct_answer: int
    prompt: list[Part]
    answer: list[Part]
    ended: str
    tokens: int
    warnings: list[str]
    settings: dict[str, object]


def page(record: Record, folder: Path) -> str:
    """Return the HTML page of a segments.json; images are read from the folder."""
    prompt = "\n".join(_segment(segment, folder) for segment in record["prompt"])
    notes = "\n".join(
        f'<p class="note">{_text(warning[:1].upper() + warning[1:])}.</p>' for warning in record["warnings"]
    )
    answer = "\n".join(_segment(segment, folder) for segment in record["answer"])
    title = next((segment["text"] for segment in record["prompt"] if segment["type"] == "text"), "Images")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title[:80])}</title>
<style>{_STYLE}</style>
<main>
<h1>Prompt</h1>
<section class="prompt">
{prompt}
</section>
<h1>Answer</h1>
<section>
{answer}
{notes}
</section>
<footer><details><summary>{_text(_generated_by(record))}</summary>
<dl>
{_facts(record)}
</dl></details></footer>
</main>
</html>
"""


def _segment(segment: Part, folder: Path) -> str:
    if segment["type"] == "text":
        return f'<p dir="auto">{_text(segment["text"])}</p>'
    if segment["type"] == "unfinished":
        return ""  # a warning reports it
    data = base64.b64encode((folder / segment["file"]).read_bytes()).decode()
    name, width, height = segment["file"], segment["width"], segment["height"]
    small = ' class="small"' if max(width, height) < SMALL else ""
    return (
        f'<figure><img{small} src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{_text(name)}">'
        f"<figcaption>{_text(name)}, {width} &times; {height} pixels</figcaption></figure>"
    )


def _generated_by(record: Record) -> str:
    adapter, base = record["adapter"], record["base"]["name"]
    return (
        f"Generated by {adapter['name']} on {base}" if adapter else f"Generated by {base}, without an adapter"
    )


def _facts(record: Record) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    facts: dict[str, object] = {
        **record["settings"],
        "ended": record["ended"],
        "tokens": record["tokens"],
        "device": record["device"],
        "base": record["base"],
        "adapter": record["adapter"],
        "versions": versions,
    }
    return "\n".join(
        f"<dt>{_text(name.replace('_', ' '))}</dt><dd>{_text(_shown(value))}</dd>"
        for name, value in facts.items()
    )


def _shown(value: object) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_shown(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(text: str) -> str:
    """Escape text for content and quoted attributes; control characters, which HTML cannot contain, become
    the replacement character."""
    return escape(
        "".join(
            sign if sign.isprintable() or sign in "\n\t" or ord(sign) > 0x9F else "\ufffd" for sign in text
        )
    )
