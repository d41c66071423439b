"""Time, peak memory and documents per second of a complete build, as the command runs it.

    python benchmarks/main_job.py 1000 5000 --workers 2

Peak memory is the largest private memory (USS) of the command and its workers together, sampled every 250 ms:
what a machine needs, not what one process has. The second size must not need more than 10% above the first:
memory is bounded by the part, not by the corpus.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RECIPE = Path(__file__).parent.parent / "pipelines" / "demo.yaml"
LEAF = [sys.executable, "-c", "from leafinstruct.cli import main; main()"]


def measure(documents: int, workers: int, folder: Path) -> dict[str, float]:
    """Return seconds, peak MB (all processes together, and the largest one), and the funnel of one build."""
    settings = ["--set", f"workdir={folder}", "--set", f"ingest.sources[0].documents={documents}"]
    started = time.monotonic()
    command = [*LEAF, "build", str(RECIPE), "--workers", str(workers), *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    together = largest = 0
    while process.poll() is None:
        sizes = _sizes(psutil.Process(process.pid))
        together, largest = max(together, sum(sizes)), max(largest, max(sizes, default=0))
        time.sleep(0.25)
    seconds = time.monotonic() - started
    status = subprocess.run(
        [*LEAF, "status", str(RECIPE), "--json", *settings], capture_output=True, text=True, check=True
    )
    stages = {entry["stage"]: entry for entry in json.loads(status.stdout)["stages"]}
    found = {
        "documents": documents,
        "seconds": seconds,
        "peak_mb": together / 1e6,
        "largest_process_mb": largest / 1e6,
    }
    found["examples"] = stages["shard"]["counts"]["rows"]
    return found


def _sizes(process: psutil.Process) -> list[int]:
    sizes = []
    try:
        for member in (process, *process.children(recursive=True)):
            sizes.append(int(member.memory_full_info().uss))
    except psutil.Error:
        pass
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    results = []
    for documents in arguments.documents:
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(documents, arguments.workers, Path(folder)))
        print("  ".join(f"{name} {value:,.1f}" for name, value in results[-1].items()), flush=True)
    if len(results) > 1:
        print(f"peak memory, last over first: {results[-1]['peak_mb'] / results[0]['peak_mb']:.3f}")


if __name__ == "__main__":
    main()
