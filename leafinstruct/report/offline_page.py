"""Write an HTML page that opens from a disk, makes no network request and runs no text of a record.

Texts of records are JSON in elements that a browser does not run; the page's script makes text nodes of them.
The content security policy allows the given scripts and the style sheet, by hash, and images from `data:`
URLs; no inline script, no eval. Names in double braces of the shell are replaced once, so `{{` in a record is
harmless.

`leaf inspect` and `leaf audit` are such pages. They share what is in assets/: the head, the
style sheet, and a script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
"""head.html, base.css and base.js, with which every page begins."""
GROUP = 128
"""Number of images in one script element, decoded together when one of them is shown."""
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(
    shell: Path,
    title: str,
    styles: Sequence[Path],
    scripts: Sequence[Path],
    data: Mapping[str, object],
    images: Sequence[bytes | None],
    library: str = "",
    markup: str = "",
) -> str:
    """Fill assets/head.html and a shell, an HTML file of what follows it, with the names data and script.

    styles, scripts: files, joined in order after those of ASSETS. data: id of an element -> value that is
    stored as JSON. images: WebP by number, None if the page has none; base.js reads them. library: a script
    before the page's own, for `{{library}}`; it may style elements inline without content. markup: trusted
    HTML, for `{{ids}}`.
    """
    script = _joined([ASSETS / "base.js", *scripts])
    style = _joined([ASSETS / "base.css", *styles])
    foreign = f"{_hash(library)} " if library else ""
    inline = f" {_hash('')}" if library else ""
    # valid JSON without escaping, since it is base64
    encoded = ["null" if item is None else f'"{base64.b64encode(item).decode()}"' for item in images]
    groups = [f"[{','.join(encoded[at : at + GROUP])}]" for at in range(0, len(encoded), GROUP)]
    slots = {
        "policy": (
            f"default-src 'none'; script-src {foreign}{_hash(script)}; style-src {_hash(style)}{inline}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
        "title": escape(title),
        "style": style,
        "ids": markup,
        "data": "\n".join(
            [
                *(_element(name, _json(value)) for name, value in data.items()),
                *(_element(f"images-{number}", group) for number, group in enumerate(groups)),
            ]
        ),
        "library": library,
        "script": script,
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _joined([ASSETS / "head.html", shell]))


def _joined(files: Sequence[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _json(value: object) -> str:
    """JSON without `<`, so that it cannot end its element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign, safe in _UNSAFE.items():
        text = text.replace(sign, safe)
    return text


def _element(name: str, json_text: str) -> str:
    """A script element with JSON, which a browser does not run."""
    return f'<script type="application/json" id="{name}">{json_text}</script>'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
