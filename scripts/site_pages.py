"""Add the documents of the repository's root and examples/ to the site, a hook of MkDocs (mkdocs.yml).

Links of the documents are relative to the root, so those into docs/ and to each other are rewritten; so are
links of pages to examples/.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_UPWARD = re.compile(rf"\]\(\.\./(examples/|(?:{'|'.join(map(re.escape, PAGES))})(?=[)#]))")
_LINK = re.compile(rf"\]\((docs/|(?:{'|'.join(map(re.escape, PAGES))})(?=[)#]))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Append one generated page for each document."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, name.lower(), content=_LINK.sub(_inside, text)))
    for path in sorted((ROOT / "examples").iterdir()):
        files.append(File.generated(config, f"examples/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let links from docs/ to these files stay in the site."""
    return _UPWARD.sub(lambda found: f"]({found[1].lower() if found[1] in PAGES else found[1]}", markdown)


def _inside(found: re.Match[str]) -> str:
    return "](" if found[1] == "docs/" else f"]({found[1].lower()}"
