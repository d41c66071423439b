"""Read settings: recipes, question files, experiments, prompts, and the value of --set. One YAML loader for
all.

It accepts what PyYAML's safe loader reads, except what that misreads silently:

    repeated key            an error with both lines; PyYAML keeps the last one
    key that is no string   `no:` is false, `1:` a number
    alias, merge key, tag   a few bytes become gigabytes, a key is repeated invisibly, a value gets a Python
                            type
    012, 1:30, 2024-01-01   YAML 1.1 reads 10, 90 and a date; a text needs quotes
    \\0, \\ud800              characters that no file can contain

`1e3` is a number, as in YAML 1.2 and JSON. Size, depth, number of values and length of a number are bounded,
and so is the time: 256 KB of the worst YAML takes about 0.4 s.
"""

from __future__ import annotations

import math
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from leafinstruct.errors import RecipeError, shortened

MAX_BYTES = 256 * 1024
"""Maximum size of a settings file; the packaged ones have 1 to 10 KB."""
MAX_DEPTH = 32
"""Maximum nesting of lists and mappings; a recipe needs about 7."""
MAX_VALUES = 20_000
MAX_DIGITS = 40
"""Maximum characters of a number."""

_TAG = "tag:yaml.org,2002:"
_SEXAGESIMAL, _OCTAL = (
    re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
    re.compile(r"[-+]?0[0-9_]+"),
)
_NO_DIGITS = re.compile(r"[-+]?0[bx]_+")
_NOT_IN_A_FILE = re.compile(r"[\0\ud800-\udfff]")


def text_in(path: Path, most: int = MAX_BYTES) -> str:
    """Return the text of a regular UTF-8 file of at most `most` bytes. Raises RecipeError."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe blocks, reading a device never ends
            raise RecipeError(
                f"{path}: is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no regular file'}; give a "
                "text file"
            )
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise RecipeError(f"{path}: larger than {most // 1024} KB; is it the right file?")
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{path}: cannot be read: {error.reason} at byte {error.start:,}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error


def yaml_in(where: Path | str, text: str) -> Any:
    """Return the plain values of a YAML text: dict with string keys, list, str, int, float, bool, None.

    where: for messages. Raises RecipeError, one line with line and column.
    """
    try:
        loader = _Loader(text)
        try:
            node = _composed(loader)
            return None if node is None else _value(loader, node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        found = error.problem_mark or error.context_mark
        place = f"line {found.line + 1}, column {found.column + 1}" if found else "somewhere"
        problem = str(error.problem)
        if "another document" in problem:
            problem = "there is a second document (---); a file may have only one"
        elif not isinstance(error, _RefusedError):
            problem = f"not YAML: {problem}{'; indent with spaces' if repr(chr(9)) in problem else ''}"
        raise RecipeError(f"{where}, {place}: {problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(
            f"{where}, line {line}: not YAML: character U+{error.character:04X} is not allowed; remove it"
        ) from error


def _composed(loader: _Loader) -> Any:
    """Return the root node, None for an empty text. PyYAML raises plain ValueErrors for `\\UFFFFFFFF` and for
    `%YAML 1.` with many digits."""
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError) as error:
        raise yaml.scanner.ScannerError(
            None, None, "a number here is too large (of \\U or of %YAML)", loader.get_mark()
        ) from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    """`object_pairs_hook` of json.loads for hand-written files. Raises ValueError for a repeated key, whose
    first value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        raise ValueError(
            f"the key {shortened(max(keys, key=keys.__getitem__), 60)!r} is repeated in one object; "
            "keep one of them"
        )
    return found


class _Loader(yaml.SafeLoader):
    """Composes nodes within the bounds; `_value` returns their values."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.AliasEvent)
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._values += 1
        if alias:
            raise yaml.composer.ComposerError(
                None, None, "an alias (*name) is not accepted here; write the text again", event.start_mark
            )
        if event.tag is not None:
            raise _refused(
                f"a tag ({shortened(str(event.tag), 40)}) is not accepted here; write the plain value", event
            )
        if self._depth == MAX_DEPTH:
            raise _refused("nested too deeply; a few levels of lists and mappings are enough", event)
        if self._values > MAX_VALUES:
            raise _refused(f"more than {MAX_VALUES:,} values; is it the right file?", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_Loader.add_implicit_resolver(
    f"{_TAG}float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+\Z"), list("-+.0123456789")
)


def _value(loader: _Loader, node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node)
    return _scalar(loader, node)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, object]:
    found: dict[str, object] = {}
    lines: dict[str, int] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise _refused("a key is a word, not a list or a mapping", name)
        if name.tag == f"{_TAG}merge":
            raise _refused("a merge key (<<) is not accepted here; write the keys again", name)
        key = _scalar(loader, name)
        if not isinstance(key, str):
            raise _refused(
                f"the key {shortened(name.value, 40)} is no text in YAML; write it in quotes", name
            )
        if key in found:
            raise _refused(
                (f"the key {shortened(key, 60)} is repeated, first in line {lines[key]}; keep one of them"),
                name,
            )
        found[key], lines[key] = _value(loader, value), name.start_mark.line + 1
    return found


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind in ("str", "value", "merge"):
        if _NOT_IN_A_FILE.search(text):
            raise _refused("a text has \\0 or half of a character (\\ud800), which no file can contain", node)
        return text
    if kind in ("int", "float"):
        return _number(loader, node, kind, text)
    if kind == "timestamp":
        raise _refused(f"{shortened(text, 40)} is a date in YAML; write it in quotes", node)
    return loader.construct_object(node)  # true, false, null


def _number(loader: _Loader, node: yaml.ScalarNode, kind: str, text: str) -> int | float:
    if len(text) > MAX_DIGITS:
        raise _refused(
            (
                f"{shortened(text, MAX_DIGITS)} is a number of {len(text):,} characters; the maximum is "
                f"{MAX_DIGITS}"
            ),
            node,
        )
    if _SEXAGESIMAL.fullmatch(text):
        raise _refused(
            f"{text} is a number to the base 60 in YAML; write it in quotes, or the number of seconds", node
        )
    if _OCTAL.fullmatch(text):
        raise _refused(
            f"{text} is an octal number in YAML; write it in quotes, or without its leading zero", node
        )
    if _NO_DIGITS.fullmatch(text):
        raise _refused(f"{text} is a number without digits in YAML; write it in quotes", node)
    number: int | float = (
        float(text.replace("_", ""))
        if kind == "float" and text[-1].isdigit()
        else loader.construct_object(node)
    )
    if math.isnan(number):
        raise _refused("nan compares with nothing; write a number", node)
    return number


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML that is not accepted."""


def _refused(problem: str, at: Any) -> _RefusedError:
    return _RefusedError(None, None, problem, at.start_mark)
