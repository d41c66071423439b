"""Plan shards over synthetic keys: time and memory of the global step that reads every row.

    python benchmarks/planning.py [--rows 100000] [--part 1000]

Rows are like those that `shard` gathers: a twentieth as many domains as rows, with sizes as on the web
(Zipf), 4 images a row, 3 rows in 100 with an image of another row and 3 with nearly its text.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from leafinstruct.runtime.artifact import Artifact
from leafinstruct.shard import keys
from leafinstruct.shard.config import ShardConfig
from leafinstruct.shard.plan import plan


def make(out: Artifact, rows: int, part: int) -> list[str]:
    """Write keys of `rows` rows. Returns the names of their parts."""
    random = np.random.default_rng(7)
    names = []
    for number, start in enumerate(range(0, rows, part)):
        count = min(part, rows - start)
        domains = random.zipf(1.3, count) % max(1, rows // 20)
        images = random.integers(2**63, size=(count, 4), dtype=np.uint64)
        texts = random.integers(2**63, size=count, dtype=np.uint64)
        shared = random.random(count) < 0.03
        images[shared, 0] = random.integers(max(1, rows // 2), size=shared.sum())
        table: list[keys.KeyRow] = [
            {
                "id": f"{start + at:016x}",
                "task": "guide" if at % 3 else "edit",
                "document": f"{start + at:016x}",
                "host": f"www{at % 3}.site{domains[at]}.com",
                "bytes": 400_000,
                "digest": f"{start + at:016x}",
                "text": int(texts[at]),
                "images": images[at].tolist(),
            }
            for at in range(count)
        ]
        names.append(f"made-{number:06d}")
        keys.write(keys.file_of(out, names[-1]), "key", table)
    return names


def main() -> None:
    """Make keys, plan, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--part", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Artifact(Path(folder))
        names = make(out, arguments.rows, arguments.part)
        size = sum(path.stat().st_size for path in out.files("keys"))
        pairs = np.random.default_rng(8).integers(arguments.rows, size=(arguments.rows * 3 // 100, 2))
        near = pa.table(
            {
                "document": [f"{at:016x}" for at in pairs.ravel()],
                "group": [f"{at:016x}" for at in np.repeat(pairs[:, 0], 2)],
            },
            schema=keys.NEAR,
        )
        process = psutil.Process()
        before = process.memory_info()
        started, used = time.perf_counter(), time.process_time()
        shards, facts = plan(ShardConfig(), 0, keys.read(out, names), near, [])
        wall, cpu = time.perf_counter() - started, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{arguments.rows:,} rows in {len(names):,} parts, {size / 1e6:,.0f} MB of keys: "
        f"{len(shards):,} shards, {facts['groups']:,} groups,"
    )
    print(f"the largest of {facts['largest_group']['rows']:,} rows")
    print(
        f"{wall:.1f} s, {cpu:.1f} CPU-s; resident at most {peak / 1e6:,.0f} MB, "
        f"{before.rss / 1e6:,.0f} MB of them before, keys included"
    )


if __name__ == "__main__":
    main()
