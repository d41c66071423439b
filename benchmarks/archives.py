"""Pages of a WARC file a second, against FastWARC with trafilatura: the same file, one run, one thread.

    python benchmarks/archives.py ARCHIVE [--copies 30] [--peer PATH/bin/python]

ARCHIVE: a .warc.gz of pages and their images, which is repeated to some thousand records. Ours is the reader
of a build, from its plan to documents with references to images; the plan, which indexes all records so that
the images are found, is also listed alone. The other one reads the pages in order, and no images. --peer: a
Python with both (pip install fastwarc trafilatura lxml_html_clean, in its own environment). CPU seconds of
each page, and of the plan, in the best of ROUNDS, which alternate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from leafinstruct.ingest.config import WarcSource
from leafinstruct.ingest.readers import warc
from leafinstruct.records.document import Document

ROUNDS = 5
PART = 500
"""Pages of a part."""
PEER = """
import json, sys, time
import trafilatura
from fastwarc.warc import ArchiveIterator, WarcRecordType
for _ in sys.stdin:
    times = [time.process_time()]
    with open(sys.argv[1], "rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            if record.http_content_type == "text/html" and record.http_headers.status_code == 200:
                trafilatura.extract(record.reader.read(), url=record.headers["WARC-Target-URI"], include_images=True, include_tables=True, include_comments=False, favor_recall=True)
                times.append(time.process_time())
    print(json.dumps(times), flush=True)
"""  # noqa: E501


def least(before: list[float], times: list[float]) -> list[float]:
    """The CPU seconds of each step in its best round. times: before each step of a round, and at its end."""
    taken = [end - start for start, end in pairwise(times)]
    return [min(pair) for pair in zip(before, taken, strict=True)] if before else taken


def ours(archive: Path) -> list[float]:
    """CPU time before the plan, after it, and after each document."""
    source = WarcSource(name="crawl", kind="warc", path=str(archive))
    with tempfile.TemporaryDirectory() as folder:  # another folder, so that nothing is kept from before
        times = [time.process_time()]
        spans = warc.plan(source, PART, Path(folder))
        times.append(time.process_time())
        for span in spans:
            for item in warc.read(source, span, Path(folder)):
                if isinstance(item, Document):
                    times.append(time.process_time())
        return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--copies", type=int, default=30)
    parser.add_argument("--peer", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "repeated.warc.gz"
        archive.write_bytes(arguments.archive.read_bytes() * arguments.copies)
        peer = arguments.peer and subprocess.Popen(
            [str(arguments.peer), "-c", PEER, str(archive)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        steps: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            steps = least(steps, ours(archive))
            if peer:
                assert peer.stdin is not None, "it is a pipe"
                assert peer.stdout is not None, "it is a pipe"
                peer.stdin.write("\n")
                peer.stdin.flush()
                theirs = least(theirs, json.loads(peer.stdout.readline()))
        if peer:
            peer.communicate()
    plan, read, pages = steps[0], sum(steps[1:]), len(steps) - 1
    print(f"{'leafinstruct, documents':<28} {pages / (plan + read):9.0f} pages/CPU-s of {pages:,}")
    print(f"{'  the plan alone':<28} {plan / pages * 1e6:9.0f} microseconds a page")
    print(f"{'  reading alone':<28} {read / pages * 1e6:9.0f} microseconds a page")
    if not peer:
        sys.exit("FastWARC with trafilatura: not given (--peer)")
    print(f"{'FastWARC and trafilatura':<28} {len(theirs) / sum(theirs):9.0f} pages/CPU-s of {len(theirs):,}")
    print(f"pages a second: {sum(theirs) / (plan + read):.2f} times FastWARC and trafilatura")


if __name__ == "__main__":
    main()
