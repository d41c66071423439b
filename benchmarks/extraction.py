"""Pages a second, and words kept and lost, against trafilatura: the same pages, one run, one thread, rounds
that alternate; the CPU time of each page is that of its best round.

    PYTHONPATH=tests python benchmarks/extraction.py PAGES [--peer PATH/bin/python] [--skeletons]

PAGES: a folder of HTML pages, each with a content node (main, article or div.content) whose text counts as
what a reader wants. Kept words outside of it cost precision, lost words of it cost recall; images are counted
likewise by their URLs. --peer: a Python with trafilatura (pip install trafilatura lxml_html_clean, in its own
environment). --skeletons: the content of the pages inside the page skeletons of tests/ingest/skeletons.py,
one row each; those of skeletons_held.py were not used for tuning.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from ingest.scoring import Extract, Score, score
from ingest.scoring import ours as kept
from ingest.skeletons import SKELETONS, article
from ingest.skeletons_held import HELD
from selectolax.lexbor import LexborHTMLParser

from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.page.sources import PageImage

ROUNDS = 15
SHOWN = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
"""An image as trafilatura writes it."""
PEER = """
import json, sys, time
import trafilatura
pages = [open(name, encoding="utf-8").read() for name in sys.argv[1:]]
extract = lambda page: trafilatura.extract(page, include_images=True, include_tables=True, include_comments=False, favor_recall=True) or ""
print(json.dumps([extract(page) for page in pages]), flush=True)
for _ in sys.stdin:
    times = [time.process_time()]
    for page in pages:
        extract(page)
        times.append(time.process_time())
    print(json.dumps(times), flush=True)
"""  # noqa: E501


class Best:
    """The CPU time of each page in its best round, so that other load on the machine counts least."""

    def __init__(self, pages: int) -> None:
        self._times = [float("inf")] * pages

    def add(self, times: list[float]) -> None:
        """Add a round: the time before each page, and at the end."""
        self._times = [
            min(old, end - start) for old, (start, end) in zip(self._times, pairwise(times), strict=True)
        ]

    @property
    def seconds(self) -> float:
        return sum(self._times)


class Peer:
    """trafilatura in its own environment. texts: of the pages."""

    def __init__(self, python: Path, names: list[Path]) -> None:
        self._process = subprocess.Popen(
            [str(python), "-c", PEER, *map(str, names)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.texts: list[str] = json.loads(self._answer())

    def round(self) -> list[float]:
        """Extract all pages once more. Returns the CPU time before each and at the end."""
        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        times: list[float] = json.loads(self._answer())
        return times

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None, "it is a pipe"
        return self._process.stdout.readline()


def words(text: str) -> Counter[str]:
    """Words without the markers of lists, tables and Markdown."""
    return Counter(re.findall(r"\w+", text.lower()))


def ours(data: bytes) -> tuple[str, list[str]]:
    """Text and image URLs of a page."""
    pieces = parse(data).pieces
    texts = [piece.text for piece in pieces if not isinstance(piece, PageImage)]
    return "\n".join(texts), [
        piece.sources[0] for piece in pieces if isinstance(piece, PageImage) and piece.sources
    ]


def measured(
    name: str, found: list[Counter[str]], wanted: list[Counter[str]], seconds: float | None = None
) -> None:
    """One line: precision and recall over all pages together, pages a CPU second."""
    both = sum((mine & true).total() for mine, true in zip(found, wanted, strict=True))
    precision, recall = (
        both / sum(mine.total() for mine in found),
        both / sum(true.total() for true in wanted),
    )
    rate = "" if seconds is None else f"{len(found) / seconds:9.0f} pages/CPU-s"
    print(f"{name:<28} precision {precision:.4f}  recall {recall:.4f} {rate}")


def theirs(peer: Path, pages: list[str]) -> list[Extract]:
    """The parts of pages that trafilatura keeps."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / f"{number}.html" for number in range(len(pages))]
        for name, page in zip(names, pages, strict=True):
            name.write_text(page, encoding="utf-8")
        process = Peer(peer, names)
        texts = process.texts
        process.close()
    return [Extract(SHOWN.sub(" ", text), tuple(SHOWN.findall(text))) for text in texts]


def table(folder: Path, peer: Path | None) -> None:
    """Precision and recall of words, then of images, and the share of images in order: one row per
    skeleton and extractor."""
    articles = [article(path) for path in sorted(folder.rglob("*.html"))]
    for name, skeleton in (SKELETONS | HELD).items():
        pages = [skeleton(found) for found in articles]
        found = {"leafinstruct": [kept(page.encode()) for page in pages]} | (
            {"trafilatura": theirs(peer, pages)} if peer else {}
        )
        for extractor, extracts in found.items():
            scores = [
                score(mine, true.text, true.images) for mine, true in zip(extracts, articles, strict=True)
            ]
            note = " (held out)" if name in HELD else ""
            print(
                f"{name + note:<28} {extractor:<13}"
                + "  ".join(f"{share:.3f}" for share in sum(scores, Score()).row)
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--skeletons", action="store_true")
    arguments = parser.parse_args()
    if arguments.skeletons:
        table(arguments.pages, arguments.peer)
        return
    names = sorted(arguments.pages.rglob("*.html"))
    data = [name.read_bytes() for name in names]
    nodes = [
        node
        for page in data
        if (node := LexborHTMLParser(page.decode()).css_first("main, article, div.content")) is not None
    ]
    assert len(nodes) == len(names), "every page has a content node"
    wanted = [words(node.text(separator=" ")) for node in nodes]
    images = [Counter(image.attributes.get("src") or "" for image in node.css("img")) for node in nodes]
    peer = Peer(arguments.peer, names) if arguments.peer else None
    best, others = Best(len(data)), Best(len(data))
    for _ in range(ROUNDS):
        results, times = [], [time.process_time()]
        for page in data:
            results.append(ours(page))
            times.append(time.process_time())
        best.add(times)
        if peer is not None:
            others.add(peer.round())
    print(f"{len(names)} pages, {sum(map(len, data)) / len(data) / 1000:.1f} kB each on average")
    measured("leafinstruct, words", [words(text) for text, _ in results], wanted, best.seconds)
    measured("leafinstruct, images", [Counter(found) for _, found in results], images)
    if peer is None:
        print("trafilatura: not given (--peer)")
        return
    peer.close()
    measured(
        "trafilatura, words", [words(SHOWN.sub(" ", text)) for text in peer.texts], wanted, others.seconds
    )
    measured("trafilatura, images", [Counter(SHOWN.findall(text)) for text in peer.texts], images)
    print(f"pages a second: {others.seconds / best.seconds:.2f} times trafilatura")


if __name__ == "__main__":
    main()
