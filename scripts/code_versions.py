"""Guard the version numbers of code: each number covers the modules that determine the bytes under it.

    python scripts/code_versions.py                      record the modules of now, where numbers were raised
    python scripts/code_versions.py --unchanged "why"    the same where they were not: the bytes are the same

A number is part of the keys of what was computed. When code changes and its number does not, old results are
taken for new ones. So code_versions.json holds a hash of the syntax tree of every covered module, without
docstrings and comments, and every number; tests/test_layout.py fails when a module changed and a number that
covers it did not. Which modules a number covers follows from the imports of NUMBERS[...].roots, so no list is
kept by hand.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "leafinstruct"
RECORDED = Path(__file__).with_suffix(".json")
COMMAND = "python scripts/code_versions.py"

APART = (
    "errors.py",
    "_*.py",
    "*/config.py",  # what a section contains is in the keys itself
    "filter/catalog.py",  # so is what it declares
    "filter/scores/declared.py",
    "runtime/*",  # where results are, not what they are
    "images/web/*",  # what a server answered is kept under its URL
    "llm/client.py",  # answers are kept under the question
    "llm/faults/*",
    "llm/protocol/*",
)
"""Modules that determine no bytes under a number. Imports are not followed into them."""

_ANSWERS = "llm/answers/*"
"""How an answer is parsed: cached answers are parsed again."""
_BACKBONES = (
    *("backbones/chameleon.py", "backbones/codes.py", "backbones/emu3.py", "backbones/emu2/*.py"),
    *("backbones/patch_vq.py", "backbones/tiny.py", "backbones/vqgan.py"),
)


@dataclass(frozen=True)
class Number:
    """A version, and the modules that it covers: roots (patterns) and all that they import, except `apart`.

    name: `file CONSTANT`, or a family of scores, whose versions are in the catalog.
    """

    name: str
    roots: tuple[str, ...]
    apart: tuple[str, ...] = ()


NUMBERS = (
    Number("ingest/stage.py CODE", ("ingest/*",), ("ingest/draft/*", "sketchbook/*")),
    Number("ingest/origin.py SKETCHBOOK", ("sketchbook/*",), ("sketchbook/tiny_clip.py",)),
    Number("ingest/archive/archive_index.py VERSION", ("ingest/archive/archive_index.py",)),
    Number("ingest/tables/lines.py VERSION", ("ingest/tables/lines.py",)),
    Number("ingest/tables/parquet.py VERSION", ("ingest/tables/parquet.py",)),
    Number("ingest/tables/tar.py VERSION", ("ingest/tables/tar.py",)),
    Number("ingest/tables/unroll.py VERSION", ("ingest/tables/unroll.py",)),
    Number("ingest/archive/crawl.py VERSION", ("ingest/archive/crawl.py",)),
    Number("ingest/video/speech.py VERSION", ("ingest/video/speech.py",)),
    Number(
        "filter/passes.py CODE",
        ("filter/*", _ANSWERS),
        (
            *("filter/scores/*", "filter/embedders/*", "filter/predictors/*", "filter/index/*"),
            *(f"filter/texts/{name}.py" for name in ("hosts", "personal", "plea*", "scan")),
        ),
    ),
    Number("filter/texts/scan.py CODE", ("filter/texts/*",), ("filter/texts/personal.py",)),
    Number("toxicity", ("filter/scores/toxicity.py",)),
    Number("personal", ("filter/texts/personal.py",)),
    Number("filter/embedders/embedder.py CODE", ("filter/embedders/*", "images/decode.py")),
    Number(
        "filter/predictors/predictor.py CODE",
        ("filter/predictors/*", "images/decode.py"),
        ("filter/extending.py", "filter/materialize.py", "filter/texts/*"),
    ),
    Number(
        "perplexity",
        ("filter/predictors/perplexity.py", "filter/predictors/tokens.py"),
        ("filter/embedders/*", "filter/predictors/predictor.py"),
    ),
    Number("filter/extending.py CODE", ("filter/extending.py",)),
    Number("document", ("records/text/language.py",)),
    Number("text", ("filter/scores/text.py",)),
    Number("markup", ("filter/scores/markup.py",)),
    Number("image", ("filter/scores/image.py", "images/decode.py")),
    Number("sequence", ("filter/scores/sequence.py", "images/decode.py")),
    Number("alignment", ("filter/scores/alignment.py",)),
    Number("coherence", ("filter/scores/coherence.py",)),
    Number("duplicate", ("filter/scores/duplicate.py", "filter/index/*"), ("filter/index/ref*.py",)),
    Number("contamination", ("filter/index/reference.py",)),
    Number("filter/index/image.py CODE", ("filter/index/image.py", "images/decode.py")),
    Number("reference", ("filter/scores/references.py",)),
    Number(
        "judge",
        ("filter/judging/request.py", "filter/judging/verdict.py"),
        ("filter/judging/rules.py", "filter/scores/*", "filter/texts/plea*"),
    ),
    Number("rules", ("filter/judging/rules.py",)),
    Number("rewrite/stage.py CODE", ("rewrite/*", _ANSWERS)),
    Number("rewrite/prompt.py OFFLINE", ("rewrite/prompt.py",)),
    Number("shard/stage.py CODE", ("shard/*",), ("card/*", "shard/preference/*")),
    Number("shard/preference/run.py CODE", ("shard/preference/*",)),
    Number("card/describe.py CODE", ("card/*",)),
    Number("train/data/tokens.py CODE", ("train/data/tokens.py", *_BACKBONES)),
    Number("train/data/images.py CODE", ("train/data/images.py", *_BACKBONES)),
    Number("export/run.py CODE", ("export/*",)),
    Number("publish/reference.py CODE", ("publish/reference.py",)),
    Number("publish/hydrate.py CODE", ("publish/hydrate.py",)),
)


class State(TypedDict):
    """numbers: name -> value. modules: file -> hash, followed by why its last change changed no bytes."""

    numbers: dict[str, Any]
    modules: dict[str, str]


class Module(NamedTuple):
    """hash: 12 hex digits over the syntax without docstrings. imports: dotted names, also in functions."""

    hash: str
    imports: tuple[str, ...]


def module_of(tree: ast.Module) -> Module:
    """Hash and imports of a module, equal for all supported versions of Python: a field that only some of
    them have is empty."""
    found: list[str] = []
    imports: list[str] = []

    def visit(node: ast.AST) -> None:
        found.append(type(node).__name__)
        if isinstance(node, ast.Import):
            imports.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.extend([*(f"{node.module}.{alias.name}" for alias in node.names), node.module])
        for name in node._fields:
            value = getattr(node, name, None)
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, ast.AST):
                    if not _says_nothing(item, node):
                        found.append(name)
                        visit(item)
                elif item is not None and name not in ("kind", "type_comment"):
                    found.append(f"{name}={item!r}")
        found.append(".")

    visit(tree)
    return Module(hashlib.sha256("\n".join(found).encode()).hexdigest()[:12], tuple(imports))


def _says_nothing(node: ast.AST, parent: ast.AST) -> bool:
    """Whether a node is a docstring, or the empty end of an f-string, which only some versions have."""
    if isinstance(node, ast.Constant):
        return node.value == "" and isinstance(parent, ast.JoinedStr)
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def parsed(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """File of a package -> its syntax tree."""
    return {
        path.relative_to(package).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


class Code:
    """The code of now: its numbers, and the modules that they cover."""

    def __init__(
        self, trees: Mapping[str, ast.Module], package: Path = PACKAGE, numbers: Sequence[Number] = NUMBERS
    ) -> None:
        self._trees = trees
        self._modules: dict[str, Module] = {}
        self.covered = {number.name: self.modules_of(number) for number in numbers}
        """Name of a number -> the modules that it covers: its roots and what they import."""
        self.state: State = {
            "numbers": {number.name: self._value(number.name, package) for number in numbers},
            "modules": {file: module.hash for file, module in sorted(self._modules.items())},
        }

    def unsettled(self, recorded: State) -> dict[str, list[str]]:
        """Number -> its modules that changed since they were recorded, if the number did not."""
        changed = {
            file for file, at in self.state["modules"].items() if recorded["modules"].get(file, "")[:12] != at
        }
        return {
            name: sorted(changed & files)
            for name, files in self.covered.items()
            if changed & files and recorded["numbers"].get(name) == self.state["numbers"][name]
        }

    def merged(self, recorded: State, why: str | None = None) -> State:
        """What to record: the state of now, with the reason where a number was not raised. A module that did
        not change keeps its reason."""
        kept = {file for files in self.unsettled(recorded).values() for file in files}
        modules = {
            file: f"{at} unchanged: {why}" if file in kept else at if old[:12] != at else old
            for file, at in self.state["modules"].items()
            for old in [recorded["modules"].get(file, "")]
        }
        return {**self.state, "modules": modules}

    def libraries(self, *roots: str) -> set[str]:
        """Packages other than the standard library that modules and all that they import, import."""
        files = self.modules_of(Number("", roots))
        names = {name.partition(".")[0] for file in files for name in self._modules[file].imports}
        return names - sys.stdlib_module_names - {"leafinstruct"}

    def modules_of(self, number: Number) -> set[str]:
        """The modules that a number covers: its roots and what they import, except those apart."""
        apart = (*APART, *number.apart)
        found: set[str] = set()
        left = [file for file in self._trees if any(fnmatch(file, root) for root in number.roots)]
        while left:
            file = left.pop()
            if file in self._trees and file not in found and not any(fnmatch(file, it) for it in apart):
                found.add(file)
                if file not in self._modules:
                    self._modules[file] = module_of(self._trees[file])
                names = self._modules[file].imports
                left += [f"{name.partition('.')[2].replace('.', '/')}.py" for name in names]
        return found

    def _value(self, name: str, package: Path) -> Any:
        """The value of a number; for a family the versions of its scores."""
        file, _, constant = name.partition(" ")
        if not constant:
            scores = runpy.run_path(str(package / "filter" / "catalog.py"))["SCORES"].values()
            return {score.name: score.version for score in scores if score.family == file}
        return next(
            ast.literal_eval(node.value)
            for node in self._trees[file].body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant
        )


def explained(found: Mapping[str, list[str]]) -> str:
    """What to do about unsettled numbers."""
    return "\n".join(
        [
            "Code changed, but not the numbers that are in the keys of its results:",
            *(f"  {name}: {', '.join(files)}" for name, files in found.items()),
            "If the same input now gives other bytes or values, raise the number (of a family of scores: the "
            f"versions in filter/catalog.py), and run: {COMMAND}",
            f'If not, run: {COMMAND} --unchanged "why"',
        ]
    )


def main() -> int:
    """Record the state of now, unless a number may have to be raised."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--unchanged", metavar="WHY", help="why no bytes changed although the code did")
    why = parser.parse_args().unchanged
    sys.path.insert(0, str(REPOSITORY))  # the catalog imports the errors
    recorded = load()
    code = Code(parsed())
    found = code.unsettled(recorded)
    if found and why is None:
        sys.stderr.write(f"{explained(found)}\n")
        return 1
    RECORDED.write_text(json.dumps(code.merged(recorded, why), indent=1) + "\n", encoding="utf-8")
    return 0


def load() -> State:
    """What is recorded."""
    empty: State = {"numbers": {}, "modules": {}}
    return json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else empty


if __name__ == "__main__":
    sys.exit(main())
