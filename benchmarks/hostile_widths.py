"""Measure CPU time and memory of inputs with very many of something that a parser expects few of (hostile/).

    python benchmarks/hostile_widths.py [WORD ...] [--limit 60] [--jobs 2]

Each case runs in its own process with RLIMIT_CPU, so that the table ends. A line: CPU seconds, the slowest
stage, peak memory in MB, outcome. To measure another version, run this file with that version's folder first
on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from leafinstruct.runtime.engine.base import Needs, Part, R, Task

MEMORY = 8 << 30
"""Maximum bytes of address space of a case."""


class Inline:
    """An engine that runs every part in this process."""

    workers = 1
    remote = False

    def map(self, task: Task[R], parts: Sequence[Part], needs: Needs) -> Iterator[R]:
        from leafinstruct.runtime.engine.local import LocalEngine

        return (
            LocalEngine(workers=1).map(task, parts, needs)
            if needs.kind == "io"
            else iter([cast("R", task(part)) for part in parts])
        )


def built(folder: Path, kind: str, more: dict[str, Any]) -> tuple[str, str]:
    """Run a complete offline build; return what it kept, and the slowest stage."""
    import yaml

    from leafinstruct import pipeline
    from leafinstruct.errors import LeafInstructError
    from leafinstruct.recipe import load as recipes

    data = folder / "data"
    paths = {key: str(data / value) for key, value in more.items() if key in ("path", "cdxj", "videos")}
    source = {"kind": kind, "name": "own", "path": str(data), **{**more, **paths}}
    wanted = {"min_words": 0, "min_images": 0, "alignment": {"model": None}, "rules": []}
    recipe = {
        "name": "t",
        "workdir": ".",
        "ingest": {"sources": [source], "truncated": "keep"},
        "filter": wanted,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    seconds: dict[str, float] = {}
    began = time.process_time()
    summary, stopped = "", ""
    try:
        for outcome in pipeline.build(
            recipes.load(folder / "recipe.yaml", (), None), Inline(), lambda *_: None
        ):
            seconds[outcome.stage] = time.process_time() - began
            began = time.process_time()
            if outcome.stage == "ingest":
                pieces = {f"({name})": count for name, count in outcome.record["image_reasons"].items()}
                summary = (
                    f"{outcome.record['counts'].get('documents', 0)} documents, "
                    f"{ {**outcome.record['reasons'], **pieces} }"
                )
    except LeafInstructError as error:
        stopped = f", {str(error)[:100]}"
        seconds[f"after {outcome.stage}" if seconds else "ingest"] = time.process_time() - began
    size = sum(path.stat().st_size for path in (folder / "runs").rglob("report-*.json")) // 1000
    slowest = max(seconds, key=lambda name: seconds[name])
    return f"{summary}, reports {size} kB{stopped}", f"{slowest} {seconds[slowest]:.1f}"


def run(folder: Path, kind: str, more: dict[str, Any]) -> tuple[str, str]:
    file = folder / "data/a"
    if kind == "image":
        from leafinstruct.images.decode import decode, probe

        found = [
            getattr(item, "reason", "ok")
            for item in (probe(file.read_bytes()), decode(file.read_bytes(), 512), decode(file.read_bytes()))
        ]
        return ", ".join(found), ""
    if kind == "subtitles":
        from leafinstruct.ingest.video.steps import sentences
        from leafinstruct.ingest.video.subtitles import cues

        kept, lost = cues(next((folder / "data").iterdir()))
        return (
            f"{len(kept)} cues, {len(list(sentences(kept)))} sentences, {len(lost)} lost "
            f"{sorted({item[0] for item in lost})}"
        ), ""
    if kind in ("robots", "tdmrep"):
        from yarl import URL

        from leafinstruct.images.web import robots, tdmrep

        url = URL("http://a.org/" + "a" * 2_000 + "b")
        if kind == "robots":
            rules = robots.Rules(file.read_bytes())
            return f"allowed {rules.allows(url)}, delay {rules.delay}", ""
        return f"reserved {tdmrep.reserves(tdmrep.rules(file.read_bytes()), url)}", ""
    if kind == "init":
        from leafinstruct.recipe.draft import draft

        text, findings = draft(folder / "data", folder, None)
        return f"a recipe of {len(text)} characters, {len(str(findings))} of findings", ""
    return built(folder, kind, more)


def one(name: str) -> None:
    """Measure a case in this process."""
    sys.path.insert(0, str(Path(__file__).parent))
    from hostile import CASES

    from leafinstruct.filter import stage as _filter  # noqa: F401 - imported before the clock starts
    from leafinstruct.ingest.readers import html, hub, obelics, warc  # noqa: F401
    from leafinstruct.rewrite import stage as _rewrite  # noqa: F401
    from leafinstruct.shard import stage as _shard  # noqa: F401

    warnings.simplefilter("ignore")
    kind, files, more = CASES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path, data in files().items():
            (folder / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "data" / path).write_bytes(data)
        del data
        before = time.process_time()
        spent = int(before)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + ARGUMENTS.limit, spent + ARGUMENTS.limit))
        Path("/proc/self/clear_refs").write_text("5")
        try:
            outcome, slowest = run(folder, kind, dict(more))
        except Exception as error:  # the table says how a case ends
            outcome, slowest = f"{type(error).__name__}: {str(error)[:160]}", ""
        print(json.dumps([round(time.process_time() - before, 1), slowest, peak(), outcome]))


def peak() -> int:
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) // 1024


def measured(name: str) -> str:
    """Return a line of the table."""
    command = [sys.executable, __file__, "--one", name, "--limit", str(ARGUMENTS.limit)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    try:
        cpu, slowest, memory, outcome = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return (
            f"{'> ' + str(ARGUMENTS.limit):>7} | {'':14} | {'':6} | {name:45} | ended by "
            f"{done.returncode}: {done.stderr.strip()[-120:]}"
        )
    return f"{cpu:7.1f} | {slowest:14} | {memory:6} | {name:45} | {outcome}"


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from hostile import CASES

    names = [name for name in CASES if not ARGUMENTS.words or any(word in name for word in ARGUMENTS.words)]
    with ThreadPoolExecutor(ARGUMENTS.jobs) as pool:
        for line in pool.map(measured, names):
            print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--one")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    ARGUMENTS = parser.parse_args()
    one(ARGUMENTS.one) if ARGUMENTS.one else main()
