"""Add the documents of the repository's root to the site, a hook of MkDocs (mkdocs.yml).

Their links are relative to the root, so those into docs/ and to each other are rewritten.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(rf"\]\((docs/|(?:{'|'.join(map(re.escape, PAGES))})(?=[)#]))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Append one generated page for each document."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name.lower(), content=_LINK.sub(_inside, text)))
    return files


def _inside(found: re.Match[str]) -> str:
    return "](" if found[1] == "docs/" else f"]({found[1].lower()}"
