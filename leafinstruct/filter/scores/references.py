"""Score of references to images that are not there: `reference.dangling`, plain counting.

    reference.dangling   document   references of the document, as it is after all rules on images, that its images do not answer

It is computed after every pass that can drop an image and before the judge, which would be asked about a
broken text. What counts as a reference is defined in records/text/references.py, because a finished example
is counted in the same way.
"""

from __future__ import annotations

from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.text.references import dangling


def scores(document: Document) -> list[Cell]:
    """The one cell of a document; its detail quotes the first reference."""
    found = dangling(document.segments)
    return [Cell("reference.dangling", float(len(found)), detail=str(found[0]) if found else "")]
