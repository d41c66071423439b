"""Search texts for what filter may change, before anything is scored.

    scan     (processes)  documents -> findings-: invisible characters, personal data, sentences that
                                       address a model
                                       paragraphs-: digests of paragraphs, by host
    collect               paragraphs- of all parts -> repeats-: paragraphs of many pages of a host
                          (collecting.py)

A finding is a place with a reason. Whether it becomes an edit is a matter of the recipe (`edits_for`), so
another setting searches nothing again. What is found is computed from the documents of ingest alone,
before any rule, so that the cheapest rules see the edited texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from leafinstruct.filter.catalog import versions
from leafinstruct.filter.config import FilterConfig
from leafinstruct.filter.texts import collecting, hosts, invisible, personal, pleas
from leafinstruct.records import edits as records
from leafinstruct.records import table
from leafinstruct.records.document import Document
from leafinstruct.records.edits import Edit, RepeatRow
from leafinstruct.records.example import Cell
from leafinstruct.runtime.artifact import Artifact, digest, version
from leafinstruct.runtime.engine.base import Engine, Needs, Part, TaskResult
from leafinstruct.runtime.engine.share import HOSTS, barrier, once, own
from leafinstruct.runtime.files import writing

CODE = 3
"""Increased when other places are found than before. Personal data has the versions of its scores."""


def findings(document: Document) -> list[Edit]:
    """Everything that is found in one document, in its texts, alternative texts and title."""
    unseen = invisible.find(document)
    seen = invisible.as_seen(document) if unseen else document
    places: list[tuple[records.Field, int | None, int, int]]
    places = [("text", text.position, start, end) for text, start, end in pleas.find(seen)]
    if seen.title and not seen.is_conversation:
        places += [("title", None, start, end) for start, end in pleas.spans(seen.title)]
    pleading = (Edit(pleas.REASON, *place, detail="it addresses a judge or a model") for place in places)
    return [*invisible.moved([*_personal(seen), *pleading], unseen), *unseen]


def _personal(document: Document) -> Iterator[Edit]:
    for place, position, text in invisible.texts_of(document):
        for kind, start, end in personal.find(text):
            yield Edit(kind.score, place, position, start, end, kind.mask, kind.noun[0])


def edits_for(found: Iterable[Edit], config: FilterConfig) -> list[Edit]:
    """The findings that the recipe turns into edits."""
    return [edit for edit in found if config.personal_data == "mask" or not _is_personal(edit)]


def cells(found: Sequence[Edit]) -> list[Cell]:
    """The `personal.*` cells of a document: what was found before anything was masked. The title repeats a
    heading in most documents, so it is not counted."""
    counts = Counter(edit.reason for edit in found if edit.field != "title")
    return [Cell(kind.score, float(counts[kind.score])) for kind in personal.KINDS]


def _is_personal(edit: Edit) -> bool:
    return edit.reason.startswith("personal.")


# The stage's intermediate files
# ----------------------------------------------------------------------------------------------------


def key_of(inputs: Artifact, part: Part) -> str:
    """What determines the findings of a part."""
    scores = versions(lambda score: score.family == "personal")
    libraries = {name: version(name) for name in (*personal.LIBRARIES, "regex")}
    return digest([CODE, scores, libraries, inputs.file_digest("documents", part.name)])


def is_up_to_date(out: Artifact, part: Part) -> bool:
    """part.payload: its key."""
    if table.key_of(out.file("paragraphs", part.name)) != part.payload:
        return False
    key = table.key_of(out.file("findings", part.name)) or ""
    return bool(key.partition(" ")[0] == part.payload)


def run(config: FilterConfig, inputs: Artifact, out: Artifact, parts: Sequence[Part], engine: Engine) -> None:
    """Search the texts of the parts without current findings, then the pages of every host together."""

    def keyed(part: Part) -> Part:
        return Part(part.name, key_of(inputs, part))

    wanted = [keyed(part) for part in own(engine, parts)]
    missing = [part for part in wanted if not is_up_to_date(out, part)]
    for _ in engine.map(partial(scan, inputs, out), missing, Needs(what="searching texts")):
        pass
    if config.host_paragraphs is None:
        collecting.collect(config, out, wanted, engine)  # nothing is counted
        return
    barrier(engine, HOSTS, (parts, lambda part: is_up_to_date(out, keyed(part))))
    once(
        engine,
        HOSTS,
        lambda: [keyed(part).payload for part in parts],
        lambda: all(table.key_of(out.file("repeats", part.name)) is not None for part in parts),
        lambda: collecting.collect(config, out, parts, engine),
    )


def scan(inputs: Artifact, out: Artifact, part: Part) -> TaskResult:
    """Task: write paragraphs- and findings-. The key of findings- is followed by a digest of its rows, on
    which later keys depend. part.payload: the key."""
    documents = list(table.documents(inputs.checked("documents", part.name)))
    with writing(out.file("paragraphs", part.name)) as temporary:
        found = filter(None, map(hosts.row_of, documents))
        table.write(temporary, found, records.PARAGRAPHS, part.payload)
    rows = [(document.id, edit) for document in documents for edit in findings(document)]
    with writing(out.file("findings", part.name)) as temporary:
        fields = [records.finding_row(name, edit) for name, edit in rows]
        table.write(temporary, fields, records.FINDINGS, f"{part.payload} {digest(fields)}")
    return TaskResult(counts={"documents": len(documents)})


def found_in(out: Artifact, part: Part) -> dict[str, list[Edit]]:
    """document id -> its findings, also those over all pages of a host."""
    found: dict[str, list[Edit]] = {}
    for document, edit in records.findings(out.file("findings", part.name)):
        found.setdefault(document, []).append(edit)
    for row in table.records(out.file("repeats", part.name), RepeatRow):
        found.setdefault(row.document_id, []).append(hosts.edit_of(row))
    return found


def edits_key(config: FilterConfig, out: Artifact, part: Part) -> str:
    """Digest of what determines the texts that the rules see."""
    found = (table.key_of(out.file("findings", part.name)) or "").partition(" ")[2]
    return digest([config.personal_data, found, table.key_of(out.file("repeats", part.name))])
