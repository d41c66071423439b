"""Which regular expressions of the package take more than linear time, found by doubling adversarial texts.

    python benchmarks/hostile_patterns.py [PACKAGE ...] [--characters 20000]

Every compiled pattern that a module holds searches through repeated characters, words of the pattern itself, and pairs of them, with an end that fits
nothing. A pattern is listed with the text that costs most where four times the text takes more than eight times the time. Patterns in this list
must be given bounded texts only.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from typing import Any

import regex

PACKAGES = ("ingest", "records", "filter", "rewrite", "shard", "pictures")
SIGNS = [
    " ",
    "\n",
    "\t",
    "a",
    "A",
    "1",
    ".",
    ",",
    "'",
    '"',
    "_",
    "-",
    "<",
    ">",
    "[",
    "(",
    "{",
    ":",
    "/",
    "@",
    "|",
    "é",
    "中",
    "\u0301",
    "ก",
    "…",
    "\xa0",
    "?",
]
LEAST = 0.02
"""CPU seconds below which a measurement says nothing."""


def patterns(packages: list[str]) -> Iterator[tuple[str, Any]]:
    """(name, pattern) of every module-level pattern, those in tuples, lists and dictionaries included."""
    seen: set[int] = set()
    for package in packages:
        root = importlib.import_module(f"leafinstruct.{package}")
        for info in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                values = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else [value]
                for item in values:
                    if (
                        isinstance(item, (re.Pattern, type(regex.compile(""))))
                        and id(item) not in seen
                        and set("+*") & set(str(item.pattern))
                    ):
                        seen.add(id(item))
                        yield f"{info.name.removeprefix('leafinstruct.')}.{name}", item


def texts(pattern: str, binary: bool) -> Iterator[tuple[str, str, str]]:
    """(beginning, what is repeated, end)."""
    words = [
        word + space for word in list(dict.fromkeys(re.findall(r"[^\W\d_]{2,}", re.sub(r"\\.", " ", pattern))))[:10] for space in ("", " ")
    ]
    literal = [sign for sign in dict.fromkeys(re.sub(r"\\[pPNdswDSWbBAZGXK](?:\{[^}]*\})?", "", pattern)) if sign not in "\\()?*+{}"][:24]
    atoms = list(dict.fromkeys([*SIGNS, *literal, *words]))
    if binary:
        atoms = [atom for atom in atoms if atom.isascii()]
    for atom in atoms:
        for begin, end in (("", ""), ("", "\x00"), ("a", "a"), ("\n", "\n!")):
            yield begin, atom, end
    few = list(dict.fromkeys([*SIGNS[:12], *literal[:8], *words[:8]]))
    few = [atom for atom in few if not binary or atom.isascii()]
    for one, two in itertools.permutations(few, 2):
        yield "", one + two, "\x00"
        yield one, two, "\x00"


def seconds(pattern: Any, text: str | bytes) -> float:
    began = time.process_time()
    for _ in pattern.finditer(text):
        pass
    pattern.fullmatch(text)
    return time.process_time() - began


def worst(pattern: Any, size: int) -> tuple[float, float, tuple[str, str, str]] | None:
    """(seconds of the text, of a quarter of it, the text), of the one that grows most; None where all are linear."""
    found: tuple[float, float, tuple[str, str, str]] | None = None
    binary = isinstance(pattern.pattern, bytes)
    source = pattern.pattern.decode("latin-1") if binary else pattern.pattern
    for begin, atom, end in texts(source, binary):

        def made(characters: int, begin: str = begin, atom: str = atom, end: str = end) -> str | bytes:
            text = begin + atom * (characters // len(atom)) + end
            return text.encode("latin-1", "replace") if binary else text

        small = seconds(pattern, made(size // 16))
        if small > 4 * LEAST:
            return small * 16, small, (begin, atom, end)
        quarter = seconds(pattern, made(size // 4))
        if quarter < LEAST / 8:
            continue
        whole = quarter * 16 if quarter > 1 else seconds(pattern, made(size))
        if whole > LEAST and whole > 8 * quarter and (found is None or whole > found[0]):
            found = whole, quarter, (begin, atom, end)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    parser.add_argument("--characters", type=int, default=6_000)
    arguments = parser.parse_args()
    for name, pattern in patterns(list(arguments.packages)):
        if (found := worst(pattern, arguments.characters)) is not None:
            print(
                f"{found[0]:7.2f} s at {arguments.characters:,} characters, {found[1]:6.3f} s at a quarter | {name} | {found[2]!r}",
                flush=True,
            )


if __name__ == "__main__":
    main()
