"""The `ingest:` section of a recipe: which sources, of which kind. Loads pydantic and nothing else.

A source is told by `kind` (a discriminated union), so a misspelt key is checked against the keys of that kind only and the message names
the right ones. A class per kind, not one class with optional fields: a WARC has no picture folder, and a recipe that gives it one is wrong.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Mmc4Source(_Section):
    """Multimodal C4: one JSON record a line with sentences, picture entries, and the sentence that each picture stands with."""

    kind: Literal["mmc4"] = "mmc4"
    name: Name
    """Names the source in ids, parts and rows; changing it changes every id."""
    path: str = Field(min_length=1)
    """A .jsonl, .jsonl.gz or .jsonl.zip file, a folder searched for them, or a glob. Relative to the recipe."""
    pictures: str | None = Field(default=None, min_length=1)
    """Folder of the picture files; default `images` beside each JSONL file, as the published shards are unpacked."""
    license: str | None = None
    """Licence of all records, as the format has no field for it; None says unknown."""


class HtmlSource(_Section):
    """HTML pages as files, their pictures beside them or on the web."""

    kind: Literal["html"] = "html"
    name: Name
    """Names the source in ids, parts and rows; changing it changes every id."""
    path: str = Field(min_length=1)
    """A page, a folder searched for .html, .htm and .xhtml, or a glob. Relative to the recipe."""
    license: str | None = None
    """Licence of pages that state none themselves; None says unknown."""


class WarcSource(_Section):
    """Web archives: pages are response records, pictures are other records of the same file."""

    kind: Literal["warc"] = "warc"
    name: Name
    """Names the source in ids, parts and rows; changing it changes every id."""
    path: str = Field(min_length=1)
    """A .warc or .warc.gz file, a folder searched for them, or a glob. Relative to the recipe."""
    license: str | None = None
    """Licence of pages that state none themselves; None says unknown."""


class SketchbookSource(_Section):
    """The embedded corpus: drawn how-to documents with ground truth, written as genuine MMC4, HTML and WARC files and then read as such."""

    kind: Literal["sketchbook"] = "sketchbook"
    name: Name = "sketchbook"
    """Names the source in ids, parts and rows; changing it changes every id."""
    seed: int = Field(ge=0)
    """Everything drawn follows from it."""
    documents: int = Field(gt=0)
    """Documents over all three formats."""
    picture_px: int = Field(default=128, ge=16, le=1024)
    """Side of a picture in pixels; 128 is pretty to look at and quick to draw."""
    defects: dict[str, float] = {}
    """Planted defects: name -> share of documents. None by default: a corpus to trust."""


Source = Annotated[Mmc4Source | HtmlSource | WarcSource | SketchbookSource, Field(discriminator="kind")]


class IngestConfig(_Section):
    """What is read, and what half a file means."""

    sources: list[Source] = Field(min_length=1)
    """Read in this order; names are unique."""
    truncated: Literal["fail", "keep"] = "fail"
    """A stream that ends early: stop the build once all else is read, or keep what was before the cut. More often than not half a file is
    a broken download, hence `fail`."""

    @field_validator("sources")
    @classmethod
    def _unique(cls, sources: list[Source]) -> list[Source]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; names are part of every id, so each source needs its own")
        return sources
