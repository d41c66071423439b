"""Damage files of a run and record what happens, by kind of file: noticed, repaired, refused, a traceback, or
silently wrong.

    python benchmarks/corruption.py --out benchmarks/corruption-after.md
    PYTHONPATH=OTHER_CHECKOUT python benchmarks/corruption.py --out benchmarks/corruption-before.md

A small but complete run is built (generated pages in four formats, a video, a Parquet file with images,
images from a web server, a language model) and pushed to a Hub on this machine. Then one file of each kind is
damaged: one bit flipped, cut, zeroed, emptied, removed, or exchanged with another of its kind. A seed
determines all choices. Three verbs run after each damage, each on a fresh copy:

    again      `leaf build` of the finished run
    on         `leaf build` after everything made FROM the file is removed, so that its bytes are read
    push       `leaf push` to an empty repository (files of shard/ and push/ only)

    noticed    a line names the file, or `leaf verify` does, and the published data is right
    repaired   the file was made again, or the model or the host was asked again, and the published data is
               right
    refused    exit code 1 with a line for each fault
    lost       entries of a cache are gone, the rest is intact, and the published data is right: they are
               asked, fetched or decoded again when needed
    traceback  anything else that ended the verb
    unseen     exit code 0 and right bytes, but the damaged file remains unreported: a later verb may read it
    wrong      exit code 0, and the published data is wrong

The last two are silent, and must be 0.

Verbs run in forks of this process (tests/small_run.py).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import own_environment

OUTCOMES = ("noticed", "repaired", "refused", "lost", "traceback", "unseen", "wrong")
REPO = "me/small"
PUSH = ("push", "recipe.yaml", "--repo", REPO)
SHARED = ("ingest", "filter", "rewrite", "shard")


@dataclass(frozen=True)
class Damaging:
    """One way to damage a file. Returns False if it would change nothing."""

    name: str
    apply: Callable[[Path, list[Path], random.Random], bool]


def _changed(path: Path, data: bytes) -> bool:
    if path.read_bytes() == data:
        return False
    path.write_bytes(data)
    return True


def flip(path: Path, _: list[Path], chance: random.Random) -> bool:
    data = bytearray(path.read_bytes())
    if not data:
        return False
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return _changed(path, bytes(data))


def cut(path: Path, _: list[Path], chance: random.Random) -> bool:
    data = path.read_bytes()
    return len(data) > 1 and _changed(path, data[: chance.randrange(1, len(data))])


def zeros(path: Path, _: list[Path], chance: random.Random) -> bool:
    data = path.read_bytes()
    if not data:
        return False
    start = chance.randrange(len(data))
    return _changed(path, data[:start] + bytes(len(data) - start))


def emptied(path: Path, _: list[Path], __: random.Random) -> bool:
    return _changed(path, b"")


def removed(path: Path, _: list[Path], __: random.Random) -> bool:
    path.unlink()
    return True


def exchanged(path: Path, others: list[Path], chance: random.Random) -> bool:
    if not others:
        return False
    other = chance.choice(others)
    mine, theirs = path.read_bytes(), other.read_bytes()
    other.write_bytes(mine)
    return _changed(path, theirs)


WAYS = tuple(Damaging(way.__name__, way) for way in (flip, cut, zeros, emptied, removed, exchanged))


def kind_of(file: str) -> str:
    """`t/filter/images/3f/images-web-12ab.parquet` -> `filter/images-*.parquet`."""
    folder, _, name = file.removeprefix("t/").rpartition("/")
    folder = re.sub(r"^(ingest|filter|rewrite|shard)/[a-z]+/[0-9a-f]{2}$", r"\1", folder)
    folder = re.sub(r"^sketchbook/sketchbook", "sketchbook", folder)
    folder = re.sub(r"(?<=/html/).*", "*", folder)
    suffix = "".join(Path(name).suffixes[-1:])
    if name in (
        "complete.json",
        "labels.jsonl",
        "annotations.json",
        "record.json",
        "fingerprint.json",
        "SHA256SUMS",
        "README.md",
        "build.json",
    ):
        return f"{folder}/{name}"
    if name == "croissant.json":
        return f"{folder}/{name}"
    known = re.match(
        (
            r"(documents|frames|report|fetches|images|embeddings|keys|duplicates|judged|asked|scores|"
            r"dropped|examples|rows|answers|exchanges)-"
        ),
        name,
    )
    return f"{folder}/{known[0] if known and not folder.startswith('sketchbook') else ''}*{suffix}"


def gone(stage: str, file: str) -> tuple[list[str], list[str]]:
    """Return what to remove so that the next build reads a damaged file, as globs below runs/, and further
    arguments of the build."""
    later = [f"t/{name}" for name in SHARED]
    if stage == "sketchbook":
        return later, []
    if stage in (".answers", ".fetched"):
        return later[1:], []
    if stage == "filter":
        return ["t/rewrite", "t/shard", "t/filter/record.json"], ["--set", "filter.rules[0].max=6"]
    if stage == "shard":
        parts = ["t/shard/*.parquet", "t/shard/report"] if file.endswith(".arrow") else []
        return ["t/shard/record.json", *parts], []
    return [f"t/{stage}/record.json", *later[SHARED.index(stage) + 1 :]], []


class Bench:
    """A finished run, and what it publishes."""

    def __init__(self, folder: Path) -> None:
        import small_run

        self.made = small_run
        self.folder, self.runs = folder, folder / "runs"
        self.world = small_run.World().__enter__()
        small_run.prepared(folder, self.world)
        self.hub = small_run.hub(folder / "home")
        self.server = self.hub.__enter__()
        self._expect("build", "recipe.yaml")
        self.bare = folder / "bare"
        shutil.copytree(self.runs, self.bare, copy_function=shutil.copy2)
        self.sent = self._push()
        assert self.sent is not None
        self.pristine = folder / "pristine"
        shutil.copytree(self.runs, self.pristine, copy_function=shutil.copy2)
        self.right: dict[tuple[str, ...], dict[str, str]] = {}
        self.verifies = small_run.run(folder, "verify", "--help").code == 0

    def _expect(self, *arguments: str) -> None:
        done = self.made.run(self.folder, *arguments)
        assert done.code == 0, done.err

    def _push(self) -> dict[str, bytes] | None:
        """Push to an empty repository; return its content, None for nothing."""
        self.server.repos.clear()
        self.done = self.made.run(self.folder, *PUSH)
        repo = self.server.repos.get(REPO) or next(iter(self.server.repos.values()), None)
        return dict(repo.files) if self.done.code == 0 and repo is not None else None

    def expected(self, removed: list[str], more: list[str]) -> dict[str, str]:
        """Return what an undamaged run publishes after the same removal, with the same settings."""
        key = (*removed, "|", *more)
        if key not in self.right:
            self.made.restored(self.pristine, self.runs)
            self._remove(removed)
            self._expect("build", "recipe.yaml", *more)
            self.right[key] = self.made.published(self.runs / "t/shard")
        return self.right[key]

    def _remove(self, globs: list[str]) -> None:
        for glob in globs:
            for path in self.runs.glob(glob):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def attempt(self, verb: str, file: str, way: Damaging, chance: random.Random) -> str | None:
        """Apply one damage and one verb; return the outcome, None if nothing was damaged."""
        stage = kind_of(file).partition("/")[0]
        removed, more = gone(stage, file) if verb == "on" else ([], [])
        right = self.expected(removed, more)
        self.made.restored(self.pristine, self.runs)
        path = self.runs / file
        others = [
            other
            for other in sorted((self.runs / Path(file).parts[0]).rglob("*"))
            if other != path and other.is_file() and kind_of(self._name(other)) == kind_of(file)
        ]
        if not way.apply(path, others, chance):
            return None
        seen = self.verifies and self._verify(path.name)
        self._remove(removed)
        before = path.stat() if path.exists() else None
        asked = self.world.asked.total()
        if verb == "push":
            sent = self._push()
            done, same = self.done, sent == self.sent
        else:
            done = self.made.run(self.folder, "build", "recipe.yaml", *more, seconds=120)
            same = self.made.published(self.runs / "t/shard") == right
        if done.code != 0:
            return (
                "traceback" if "Traceback" in done.err or done.code != 1 or not done.messages else "refused"
            )
        if not same:
            return "wrong"
        after = path.stat() if path.exists() else None
        again = after is not None and (
            before is None or (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)
        )
        if again or self.world.asked.total() > asked:
            return "repaired"
        if after is None and way.name != "removed":
            return "repaired"  # a damaged file that is gone does no harm
        if path.name in done.err or path.name in done.out or "repair" in done.err or seen:
            return "noticed"
        cache = stage.startswith(".") or path.name.startswith("frames-")
        return "lost" if cache and way.name in ("cut", "emptied", "removed") else "unseen"

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.runs))

    def _verify(self, name: str) -> bool:
        done = self.made.run(self.folder, "verify", "recipe.yaml")
        return done.code != 0 and name in done.out + done.err

    def files(self) -> dict[str, list[str]]:
        """Files of the finished run, by kind."""
        found = defaultdict(list)
        for path in sorted(self.pristine.rglob("*")):
            file = str(path.relative_to(self.pristine))
            # their content is never read
            if path.is_file() and path.stat().st_size and not path.name.endswith((".lock", "claims")):
                found[kind_of(file)].append(file)
        return dict(sorted(found.items()))

    def close(self) -> None:
        self.hub.__exit__(None, None, None)
        self.world.__exit__()


def measured(folder: Path, seed: int, flips: int, only: str) -> dict[str, Counter[str]]:
    """Outcomes by kind of file and verb."""
    bench = Bench(folder)
    table: dict[str, Counter[str]] = {}
    details = (folder / "attempts.jsonl").open("w")
    for kind, files in bench.files().items():
        if not re.search(only, kind):
            continue
        stage = kind.partition("/")[0]
        verbs = (
            ["push"]
            if stage == "push"
            else ["again", "on", "push"]
            if stage == "shard" and not kind.endswith(".arrow")
            else ["again", "on"]
        )
        counts: Counter[str] = Counter()
        for verb in verbs:
            # lines there belong to no file of a fixed name
            for way in WAYS[:-1] if stage == ".answers" else WAYS:
                for turn in range(flips if way.name == "flip" else 1):
                    chance = random.Random(f"{seed} {kind} {verb} {way.name} {turn}")
                    file = chance.choice(files)
                    outcome = bench.attempt(verb, file, way, chance)
                    if outcome is not None:
                        counts[outcome] += 1
                        line = next(
                            iter(
                                bench.made.Done(
                                    0, "", (folder / ".err").read_text(errors="replace"), 0
                                ).messages[-1:]
                            ),
                            "",
                        )
                        print(
                            json.dumps([kind, verb, way.name, file, outcome, line[-200:]]),
                            file=details,
                            flush=True,
                        )
        table[kind] = counts
        print(f"{kind:<44} {dict(counts)}", file=sys.stderr, flush=True)
    bench.close()
    return table


def shown(table: dict[str, Counter[str]]) -> str:
    head = ["file", "damages", *OUTCOMES]
    total = sum(table.values(), Counter[str]())
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(['---', *['---:'] * (len(head) - 1)])}|"]
    for kind, counts in [*table.items(), ("**all**", total)]:
        numbers = (counts.total(), *(counts[name] for name in OUTCOMES))
        lines.append(f"| {kind if kind.startswith('*') else f'`{kind}`'} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flips", type=int, default=3)
    parser.add_argument("--only", default="", help="Regular expression over kinds of files.")
    parser.add_argument("--out", type=Path, help="Write the table here too.")
    parser.add_argument("--attempts", type=Path, help="Write a line of JSON for each attempt here.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        own_environment.own(os.environ, Path(place) / "home")
        import small_run

        small_run.warm()
        began = time.monotonic()
        text = shown(measured(Path(place) / "work", arguments.seed, arguments.flips, arguments.only))
        print(text)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
        if arguments.out is not None:
            arguments.out.write_text(text, encoding="utf-8")
        if arguments.attempts is not None:
            shutil.copy(Path(place) / "work/attempts.jsonl", arguments.attempts)


if __name__ == "__main__":
    main()
