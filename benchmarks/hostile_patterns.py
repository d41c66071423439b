"""Find regular expressions of the package that take more than linear time, with adversarial texts of doubled
length.

    python benchmarks/hostile_patterns.py [PREFIX ...] [--seconds 6] [--jobs 2]

Every pattern in a module, and every pattern in a call of `re` or `regex`, is analyzed. The texts that each of
its repeats accepts are repeated: alone, after what precedes the repeat, and combined with what other repeats
accept. Each such text ends with something that matches nothing. A pattern is listed with its worst text if
twice the text takes more than three times the CPU seconds. Each pattern runs in its own process with a limit
of CPU seconds; `ended` names the text that reached it. Whether a listed pattern ever meets a long text has to
be checked in the code: some are matched at one position only, or against texts of bounded length.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import itertools
import json
import os
import pkgutil
import re
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import regex

import leafinstruct

PREFIXES = (
    "ingest",
    "records",
    "filter",
    "rewrite",
    "shard",
    "report",
    "images",
    "llm",
    "recipe_draft",
    "suppressed",
    "cards",
)
SIZES = ((2 << 10, 0.004), (16 << 10, 0.005))
"""Characters, and the minimum CPU seconds if the cost is quadratic; below that no second measurement is
made."""
CLEAR = 0.05
"""CPU seconds of the longest text after which no worse text is searched."""
MANY = 160
"""Maximum texts of a pattern."""
PROPERTIES = {
    "L": "aé中",
    "M": "\u0301",
    "N": "1",
    "Thai": "ก",
    "Lao": "ກ",
    "Han": "中",
    "Hiragana": "か",
    "Line_Break=Complex_Context": "ก",
    "Cf": "\u200d",
}
SAMPLES = "a1 \n.,'\"_-<>[](){}:;/@|=&#%!?+*A\té中\u0301\x00"


Found = tuple[str, Any, bool]
"""Name, compiled pattern, whether it is only matched at one position of a text."""


def patterns(prefixes: list[str]) -> Iterator[Found]:
    """Yield each pattern and flags once."""
    seen: set[tuple[Any, int]] = set()
    for info in pkgutil.walk_packages(leafinstruct.__path__, "leafinstruct."):
        name = info.name.removeprefix("leafinstruct.")
        if not name.startswith(tuple(prefixes)):
            continue
        module = importlib.import_module(info.name)
        source = Path(str(module.__file__)).read_text()
        for found, pattern, anchored in itertools.chain(_in_module(module, source), _named(source)):
            if (pattern.pattern, pattern.flags) not in seen and set("+*{") & set(str(pattern.pattern)):
                seen.add((pattern.pattern, pattern.flags))
                yield f"{name}.{found}", pattern, anchored


def _in_module(module: Any, source: str) -> Iterator[Found]:
    def inside(value: Any, depth: int = 0) -> Iterator[Any]:
        if isinstance(value, (re.Pattern, regex.Pattern)):
            yield value
        elif isinstance(value, (dict, tuple, list)) and depth < 3:
            for item in value.values() if isinstance(value, dict) else value:
                yield from inside(item, depth + 1)

    for name, value in vars(module).items():
        uses = re.findall(rf"\b{name}\b(?! = |:)(?:\.(\w+)|)", source)
        yield from (
            (name, item, bool(uses) and {"match", "fullmatch"} >= set(uses)) for item in inside(value)
        )


def _named(source: str) -> Iterator[Found]:
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("re", "regex")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            flags = re.IGNORECASE if "IGNORECASE" in ast.dump(node) else 0
            yield (
                f"line {node.lineno}",
                (re if node.func.value.id == "re" else regex).compile(node.args[0].value, flags),
                node.func.attr in ("match", "fullmatch"),
            )


def texts(pattern: Any) -> list[tuple[str, str, str]]:
    """Return (beginning, repeated unit, end) of each text."""
    source = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    source = re.sub(r"\\p\{(\w+(?:=\w+)?)\}", lambda found: PROPERTIES.get(found[1], "x"), source)
    source = re.sub(r"\\[GX]", "", re.sub(r"\(\?V1\)", "", source))
    found: dict[tuple[str, str, str], None] = {}
    try:
        tree = parser.parse(source, pattern.flags & (re.IGNORECASE | re.VERBOSE | re.DOTALL))
    except re.error:
        tree = parser.parse("(?:" + "|".join(re.escape(sign) for sign in SAMPLES) + ")*")
    repeats = list(dict.fromkeys(_repeats(tree, "")))
    units = list(dict.fromkeys(unit for _, accepted in repeats for unit in accepted if unit))
    for before, accepted in repeats:
        for unit in accepted:
            found[before, unit, "\x00"] = None
            found["", before + unit, "\x00"] = None
            found[before, unit, "\n!"] = None
        found["", before or "a", "\x00"] = None
    for one, two in itertools.permutations(units[:9], 2):
        found["", one + two, "\x00"] = None
        found["a", one + two, "\x00"] = None
    for unit in [*units, *SAMPLES]:
        found["", unit, "\x00"] = None
        found["x", unit, "x"] = None
    return list(found)[:MANY]


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (a text that leads to a repeat, texts that it accepts once)."""
    for kind, value in tree:
        if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            low, high, inner = value
            if high > 8:
                yield before, tuple(dict.fromkeys(_sample(inner, number) for number in range(6)))
            yield from _repeats(inner, before)
            before += _sample(inner, 0) * max(1, min(low, 100))
        elif kind is codes.BRANCH:
            for branch in value[1]:
                yield from _repeats(branch, before)
            before += _sample([(kind, value)], 0)
        elif kind in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
            yield from _repeats(value[-1] if kind is codes.SUBPATTERN else value, before)
            before += _sample([(kind, value)], 0)
        elif kind in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeats(value[1], before)
        else:
            before += _sample([(kind, value)], 0)


def _sample(tree: Any, number: int) -> str:
    """Return roughly the number-th text that a pattern accepts."""
    sample = ""
    for kind, value in tree:
        if kind is codes.LITERAL:
            sample += chr(value)
        elif kind in (codes.NOT_LITERAL, codes.IN, codes.ANY):
            sample += _sign(kind, value, number)
        elif kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            sample += _sample(value[2], number) * max(min(value[0], 100), number % 3)
        elif kind is codes.BRANCH:
            sample += _sample(value[1][number % len(value[1])], number // 2)
        elif kind in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
            sample += _sample(value[-1] if kind is codes.SUBPATTERN else value, number)
    return sample


def _sign(kind: Any, value: Any, number: int) -> str:
    fits = _class(kind, value)
    own = (
        [
            chr(item[1] if item[0] is codes.LITERAL else item[1][0])
            for item in value
            if item[0] in (codes.LITERAL, codes.RANGE)
        ]
        if kind is codes.IN
        else []
    )
    signs = [sign for sign in dict.fromkeys([*SAMPLES[:1], *own, *SAMPLES]) if fits(sign)]
    return signs[number % len(signs)] if signs else ""


def _class(kind: Any, value: Any) -> Callable[[str], bool]:
    if kind is codes.ANY:
        return lambda sign: sign != "\n"
    if kind is codes.NOT_LITERAL:
        return lambda sign: ord(sign) != value
    kinds = {
        "DIGIT": r"\d",
        "NOT_DIGIT": r"\D",
        "SPACE": r"\s",
        "NOT_SPACE": r"\S",
        "WORD": r"\w",
        "NOT_WORD": r"\W",
    }

    def one(item: Any, sign: str) -> bool:
        if item[0] is codes.LITERAL:
            return bool(ord(sign) == item[1])
        if item[0] is codes.RANGE:
            return bool(item[1][0] <= ord(sign) <= item[1][1])
        return (
            item[0] is codes.CATEGORY
            and re.match(kinds[str(item[1]).removeprefix("CATEGORY_").removeprefix("UNI_")], sign) is not None
        )

    negated = any(item[0] is codes.NEGATE for item in value)
    return lambda sign: any(one(item, sign) for item in value if item[0] is not codes.NEGATE) != negated


def seconds(pattern: Any, anchored: bool, text: tuple[str, str, str], size: int) -> float:
    """CPU seconds of all matches in a text of a size, or of those at its beginning."""
    begin, unit, end = text
    made: Any = begin + unit * (size // len(unit)) + end
    made = made.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else made
    began = time.process_time()
    if anchored:
        pattern.match(made)
        pattern.fullmatch(made)
    else:
        for _ in pattern.finditer(made):
            pass
    return time.process_time() - began


def worst(pattern: Any, anchored: bool, report: Callable[[Any], None]) -> None:
    """Report each text that costs more than all before it, with its CPU seconds at a size and at twice
    that; finally, an empty line."""
    most = 0.0
    for text in texts(pattern):
        report(["trying", text])
        for size, least in SIZES:
            if (once := seconds(pattern, anchored, text, size)) < least:
                break
            twice = seconds(pattern, anchored, text, 2 * size)
            if twice > 3 * once:
                if once * (SIZES[-1][0] / size) ** 2 > most:
                    most = once * (SIZES[-1][0] / size) ** 2
                    report(["found", text, once, twice, size])
                break
        if most > CLEAR:
            break
    report(["done"])


def measured(item: Found, limit: int) -> str:
    """Return a line of the table; empty for a linear pattern."""
    name, pattern, anchored = item
    out, into = os.pipe()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        stream = os.fdopen(into, "w")
        worst(pattern, anchored, lambda entry: print(json.dumps(entry), file=stream, flush=True))
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as lines:
        reports = [json.loads(line) for line in lines]
    os.waitpid(child, 0)
    found = [item for item in reports if item[0] == "found"]
    text = (
        repr(
            [
                piece if len(piece) < 60 else f"{piece[:40]}... {len(piece)}"
                for piece in (found[-1] if found else reports[-1])[1]
            ]
        )
        if reports[-1:] != [["done"]] or found
        else ""
    )
    times = (
        "{2:8.4f} s, {3:8.4f} s at {4:6,}".format(*found[-1]) if found else f"ended at {limit} s" + " " * 20
    )
    return f"{times} | {name} | {text}" if text else ""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("prefixes", nargs="*", default=PREFIXES)
    arguments.add_argument("--seconds", type=int, default=6)
    arguments.add_argument("--jobs", type=int, default=2)
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    found = list(patterns(list(given.prefixes)))
    print(f"{len(found)} patterns; CPU seconds at so many characters and at twice as many", flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        for line in pool.map(lambda item: measured(item, given.seconds), found):
            if line:
                print(line, flush=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{spent.ru_utime + spent.ru_stime:.0f} CPU seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
