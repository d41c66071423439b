"""Score of references to images that are not there: `reference.dangling`, by counting.

    reference.dangling   document   references that match none of the images kept by all rules on images

It is computed after every pass that can drop an image and before the judge, which would otherwise be asked
about an inconsistent text. References are defined in records/text/references.py, because finished examples
are checked in the same way.
"""

from __future__ import annotations

from leafinstruct.records.document import Document
from leafinstruct.records.example import Cell
from leafinstruct.records.text.references import dangling


def scores(document: Document) -> list[Cell]:
    """The one cell of a document. Its detail quotes the first reference."""
    found = dangling(document.segments)
    return [Cell("reference.dangling", float(len(found)), detail=str(found[0]) if found else "")]
