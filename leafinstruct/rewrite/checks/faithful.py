"""Whether the numbers, names and addresses of an example are those of its document. Pure.

    faithful = 1 - intruders / statements        1 without a statement

A statement is one number (numbers.py), name (names.py), URL or e-mail address (addresses.py) of the example,
the instruction included, each spelling once. It is an intruder if the source does not have it: the document's
texts, its title, the wordings of the task, and the number of its images and list items; in several turns also
the numbers of its images, by which questions name images and steps. A number with a unit is an intruder, too,
if the source has it only with other units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from leafinstruct.records.document import Document
from leafinstruct.records.example import Turn
from leafinstruct.records.text.language_names import named
from leafinstruct.rewrite.checks.addresses import addresses_in, without_addresses
from leafinstruct.rewrite.checks.coverage import Result, texts_of
from leafinstruct.rewrite.checks.names import ALL_CAPITALIZED, Known, names_in, quotations_in
from leafinstruct.rewrite.checks.numbers import Number, numbers_in
from leafinstruct.rewrite.worded import Task

_LISTED = 8  # intruders in a detail

Units = Mapping[str, frozenset[str | None]]
"""Reading of a number -> the units that the source has it with."""


def faithful(document: Document, task: Task, turns: Sequence[Turn]) -> Result:
    """Share of the statements that the source has, with the intruders as detail."""
    source = _source(document, task)
    statements: dict[str, bool] = {}
    for text in texts_of(turns):
        for words, is_known in _statements(text, document.language, *source):
            statements[words] = statements.get(words, True) and is_known
    intruders = [words for words, is_known in statements.items() if not is_known]
    if not intruders:
        unread = document.language in ALL_CAPITALIZED
        return 1.0, f"names are not checked in {named(document.language)}" if unread else ""
    value = 1 - len(intruders) / len(statements)
    shown = ", ".join(intruders[:_LISTED]) + (" and others" if len(intruders) > _LISTED else "")
    return value, f"write only numbers, names and addresses that the document has; it does not have {shown}"


def _source(document: Document, task: Task) -> tuple[Units, Known, frozenset[str]]:
    wording = () if task.wording is None else (*task.wording.ask, *task.wording.ask_untitled)
    texts = [*(text.text for text in document.texts), document.title or "", *wording]
    whole = "\n".join(texts)
    items = sum(text.kind == "list" for text in document.texts)
    count = len(document.images)
    images = range(1, count + 1) if task.family.several_turns else (count,)
    units: dict[str, set[str | None]] = {str(number): {None} for number in (*images, items)}
    for number in numbers_in(whole, document.language, all_of_them=True):
        for reading in number.readings | number.parts:
            units.setdefault(reading, set()).add(number.unit)
    known = {reading: frozenset(some) for reading, some in units.items()}
    return known, Known.of(whole), frozenset(addresses_in(whole))


def _statements(
    text: str, language: str | None, units: Units, known: Known, addresses: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """Yield each statement of a text, and whether the source has it."""
    for address in addresses_in(text):
        yield address, _is_in(address, addresses)
    plain = without_addresses(text)
    for number in numbers_in(plain, language):
        if number.states:
            yield number.words, _is_known(number, units)
    for name in names_in(plain, language):
        yield name, known.has(name, language)
    for quotation in quotations_in(plain):
        yield f"“{quotation}”", known.has_all(quotation)


def _is_in(address: str, addresses: frozenset[str]) -> bool:
    """Whether an address is one of others or a whole part of one, such as its host or its domain."""
    whole = re.compile(rf"(?<![\w-]){re.escape(address)}(?![\w-])")
    return address == "" or any(whole.search(other) for other in addresses)


def _is_known(number: Number, units: Units) -> bool:
    found = [units[reading] for reading in number.readings if reading in units]
    if not found:
        return bool(number.parts) and all(part in units for part in number.parts)
    if number.unit is None:
        return True
    return any(None in some or number.unit in some for some in found)
