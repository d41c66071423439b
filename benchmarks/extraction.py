"""Pages a second, and words kept and lost, against trafilatura: the same pages, one run, one thread.

python benchmarks/extraction.py PAGES [--peer PATH/bin/python]

PAGES: a folder of HTML pages, each with a content node (main, article or div.content) whose text is taken for what a reader wants. Words outside it
that are kept cost precision, words of it that are lost cost recall; pictures are counted likewise by their addresses. --peer: a Python that has
trafilatura installed (pip install trafilatura, in an environment of its own).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from leafinstruct.ingest.page import parse
from leafinstruct.ingest.sources import Picture

ROUNDS = 5
PEER = """
import json, sys, time
import trafilatura
pages = [open(name, encoding="utf-8").read() for name in sys.argv[2:]]
extract = lambda page: trafilatura.extract(page, include_images=True, include_tables=True, include_comments=False, favor_recall=True) or ""
texts = [extract(page) for page in pages]
best = 1e9
for _ in range(int(sys.argv[1])):
    started = time.process_time()
    for page in pages:
        extract(page)
    best = min(best, time.process_time() - started)
print(json.dumps({"seconds": best, "texts": texts}))
"""


def words(text: str) -> Counter[str]:
    """Words without marks of lists, tables and Markdown."""
    return Counter(re.findall(r"\w+", text.lower()))


def ours(data: bytes) -> tuple[str, list[str]]:
    """Text and picture addresses of a page."""
    pieces = parse(data).pieces
    texts = [piece.text for piece in pieces if not isinstance(piece, Picture)]
    return "\n".join(texts), [piece.sources[0] for piece in pieces if isinstance(piece, Picture) and piece.sources]


def measured(name: str, found: list[Counter[str]], wanted: list[Counter[str]], seconds: float | None = None) -> None:
    """One line: precision and recall over all pages together, pages a CPU second."""
    both = sum((mine & true).total() for mine, true in zip(found, wanted, strict=True))
    precision, recall = both / sum(mine.total() for mine in found), both / sum(true.total() for true in wanted)
    rate = "" if seconds is None else f"{len(found) / seconds:9.0f} pages/CPU-s"
    print(f"{name:<28} precision {precision:.4f}  recall {recall:.4f} {rate}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--peer", type=Path)
    arguments = parser.parse_args()
    names = sorted(arguments.pages.rglob("*.html"))
    data = [name.read_bytes() for name in names]
    nodes = [node for page in data if (node := LexborHTMLParser(page.decode()).css_first("main, article, div.content")) is not None]
    assert len(nodes) == len(names), "every page has a content node"
    wanted = [words(node.text(separator=" ")) for node in nodes]
    pictures = [Counter(image.attributes.get("src") or "" for image in node.css("img")) for node in nodes]
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        results = [ours(page) for page in data]
        best = min(best, time.process_time() - started)
    print(f"{len(names)} pages, {sum(map(len, data)) / len(data) / 1000:.1f} kB each on average")
    measured("leafinstruct, words", [words(text) for text, _ in results], wanted, best)
    measured("leafinstruct, pictures", [Counter(found) for _, found in results], pictures)
    if arguments.peer is None:
        print("trafilatura: not given (--peer)")
        return
    command = [str(arguments.peer), "-c", PEER, str(ROUNDS), *map(str, names)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    shown = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
    measured("trafilatura, words", [words(shown.sub(" ", text)) for text in told["texts"]], wanted, told["seconds"])
    measured("trafilatura, pictures", [Counter(shown.findall(text)) for text in told["texts"]], pictures)
    print(f"pages a second: {told['seconds'] / best:.2f} times trafilatura")


if __name__ == "__main__":
    main()
