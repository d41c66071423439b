"""Times and sizes of inspecting and publishing a Sketchbook dataset: build, inspect, push to a Hub on this
machine, then with one record less.

    PYTHONPATH=tests python benchmarks/publishing.py [--documents 5000] [--shard-mb 4]

Every step is the command as a user runs it. The Hub is that of the tests (tests/hub_repos.py), which counts
the bytes of uploaded large files. `leaf remove` removes one record; the next build and push should change
only the shard that contained it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hub_repos import ReposHub

LEAF = [sys.executable, "-c", "from leafinstruct.cli import main; main()"]
RECIPE = Path(__file__).parent.parent / "pipelines" / "demo.yaml"


def leaf(*arguments: str, environment: dict[str, str]) -> tuple[str, float, float]:
    """Return a command's output, its seconds, and its CPU seconds with those of its workers."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [*LEAF, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        done.stdout,
        time.monotonic() - started,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--shard-mb", type=float, default=4.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ReposHub() as hub:
        folder = Path(name)
        recipe = folder / "demo.yaml"  # a copy, as `leaf remove` writes beside it
        shutil.copy(RECIPE, recipe)
        settings = [
            f"workdir={folder}",
            f"ingest.sources[0].documents={arguments.documents}",
            f"shard.max_bytes={int(arguments.shard_mb * 1e6)}",
        ]
        changes = [word for change in settings for word in ("--set", change)]
        environment = {**os.environ, **hub.logged_in(folder / "home", "hf_benchmark")}

        def step(what: str, verb: str, *more: str) -> str:
            output, seconds, cpu = leaf(verb, str(recipe), *more, *changes, environment=environment)
            print(
                (f"{what:<34} {seconds:7.1f} s {cpu:7.1f} CPU-s   {hub.sent / 1e6:8.2f} MB uploaded so far"),
                flush=True,
            )
            return output

        step("build", "build")
        step("build again", "build")
        step("inspect", "inspect")
        print(f"{'':<34} {(folder / 'runs/demo/inspect.html').stat().st_size / 1e6:7.1f} MB page")
        step("push", "push", "--repo", "me/demo")
        step("push again", "push", "--repo", "me/demo")
        shards = sorted((folder / "runs/demo/shard").glob("*.parquet"))
        print(f"{'':<34} {len(shards):>7} shards, {sum(path.stat().st_size for path in shards) / 1e6:.1f} MB")
        row = _first_id(shards[0])
        _, seconds, cpu = leaf("explain", row, str(recipe), "--json", *changes, environment=environment)
        print(f"{'explain one record':<34} {seconds:7.1f} s {cpu:7.1f} CPU-s")
        step("remove one record", "remove", "--id", row)
        step("build without it", "build")
        step("push the change", "push", "--repo", "me/demo")


def _first_id(shard: Path) -> str:
    import pyarrow.parquet as pq

    return str(pq.read_table(shard, columns=["id"]).column("id")[0])


if __name__ == "__main__":
    main()
