"""The `ingest:` section of a recipe: the sources and their kinds. Loads pydantic and nothing else.

`kind` selects the class of a source, so a misspelt key is checked against the keys of that kind only and the
message names the right ones. There is one class per kind, not one class with optional fields: a WARC has no
image folder, and a recipe that gives it one is wrong. KINDS lists the classes; installed packages add others
(extensions), which are imported when a recipe uses them. Keys that hold paths are listed in PATH_KEYS: they
are relative to the recipe and not part of a source's fingerprint, so a project can move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import Field, PlainValidator, SerializeAsAny, TypeAdapter, field_validator, model_validator

from leafinstruct.ingest.tables.columns.config import Columns, Section, at_least_one
from leafinstruct.runtime.extensions import Extension, installed

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class Source(Section):
    """Base class of the sources of all kinds. Each defines `kind`, with a default, and `name`."""

    PATH_KEYS: ClassVar[tuple[str, ...]] = ("path", "images", "videos", "cdxj")
    """Keys that hold paths."""
    if TYPE_CHECKING:  # no fields, so that a published recipe keeps the order of its keys
        kind: str
        name: Name


class FileSource(Source):
    """Base class of sources that are read from files; streamed and drawn sources become one of these
    first."""

    name: Name
    """Names the source in ids, parts and rows; changing it changes every id."""
    license: str | None = None
    """Default license for records that state none; None means unknown."""


class _PageSource(FileSource):
    opt_out: bool = True
    """Refuse pages that opt out of training in a <meta> (robots: noai, noimageai; tdm-reservation: 1), with
    the reason opt_out. In web archives also pages and images whose archived HTTP headers opt out
    (X-Robots-Tag, tdm-reservation, Content-Signal, Content-Usage)."""


class Mmc4Source(FileSource):
    """Multimodal C4: one JSON record per line with sentences, image entries, and the sentence that each image
    is assigned to."""

    kind: Literal["mmc4"] = "mmc4"
    path: str = Field(min_length=1)
    """A .jsonl, .jsonl.gz or .jsonl.zip file, a folder searched for them, or a glob. Relative to the
    recipe."""
    images: str | None = Field(default=None, min_length=1)
    """Folder of the image files; default `images` beside each JSONL file, as the published shards are
    unpacked."""


class ObelicsSource(FileSource):
    """OBELICS: Parquet with parallel lists of texts and images; each index holds either a text or an
    image."""

    kind: Literal["obelics"] = "obelics"
    path: str = Field(min_length=1)
    """A .parquet file, a folder searched for them, or a glob. Relative to the recipe."""


class Mint1tSource(FileSource):
    """MINT-1T: parallel lists of texts and images, as Parquet with URLs (HTML) or as WebDataset tars of JSON
    and TIFF (PDF, ArXiv)."""

    kind: Literal["mint1t"] = "mint1t"
    path: str = Field(min_length=1)
    """A .parquet or .tar file, a folder searched for them, or a glob. Relative to the recipe."""


class HtmlSource(_PageSource):
    """HTML pages as files, their images beside them or on the web."""

    kind: Literal["html"] = "html"
    path: str = Field(min_length=1)
    """A page, a folder searched for .html, .htm and .xhtml, or a glob. Relative to the recipe."""


class WarcSource(_PageSource):
    """Web archives: pages are response records, images are other records of the same file or the same
    crawl."""

    kind: Literal["warc"] = "warc"
    path: str = Field(min_length=1)
    """A .warc or .warc.gz file, a folder searched for them, or a glob. Relative to the recipe."""
    crawl: bool = False
    """Look for images in all files of the source, through an index that is built first, not only in the
    page's own file."""
    cdxj: str | None = Field(default=None, min_length=1)
    """A CDXJ index (file, folder or glob) of the crawl, used instead of building one. Its file names are
    resolved in the source's folder."""

    @model_validator(mode="after")
    def _cdxj_needs_crawl(self) -> WarcSource:
        if self.cdxj is not None and not self.crawl:
            raise ValueError("cdxj is an index of a whole crawl; set crawl: true to look for images there")
        return self


class HubSource(FileSource):
    """A dataset of the Hugging Face Hub, streamed, or your own Parquet, JSONL, CSV and WebDataset tar files,
    with a declared mapping of columns."""

    kind: Literal["hub"] = "hub"
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    """`organization/name` on the Hub. Either this or `path`."""
    path: str | None = Field(default=None, min_length=1)
    """Local files instead: .parquet, .jsonl (.gz, .zip), .csv or .tsv (.gz), or .tar, a folder or a glob.
    Relative to the recipe."""
    config: str | None = None
    """The Hub dataset's configuration; None for its default."""
    split: str = "train"
    """The Hub dataset's split."""
    revision: str | None = None
    """A commit or tag of the Hub dataset; None uses the newest commit when the stream is first read, and
    records it."""
    rows: int | None = Field(default=None, gt=0)
    """Maximum number of rows of the stream; None for all."""
    segments: tuple[Columns, ...]
    """Columns in reading order."""
    url_column: str | None = None
    """Column of each record's URL."""
    license_column: str | None = None
    """Column of each record's license."""

    @field_validator("segments")
    @classmethod
    def _not_empty(cls, segments: tuple[Columns, ...]) -> tuple[Columns, ...]:
        return at_least_one(segments)

    @model_validator(mode="after")
    def _repo_or_path(self) -> HubSource:
        if (self.repo is None) == (self.path is None):
            raise ValueError("give either repo (a dataset of the Hub) or path (local files)")
        return self


class ConversationsSource(FileSource):
    """InterleavedBench and LeafInstruct style JSON: `conversations` whose `<image>` placeholders are filled
    from `image`, in order over all turns."""

    kind: Literal["conversations"] = "conversations"
    path: str = Field(min_length=1)
    """A .json file (one list) or .jsonl (.gz, .zip), a folder searched for them, or a glob. Relative to the
    recipe."""
    images: str | None = Field(default=None, min_length=1)
    """Folder that image paths are relative to; default the JSON file's own."""


class Frames(Section):
    """How a video becomes steps of text and frames."""

    per_step: int = Field(default=1, ge=1, le=8)
    """Maximum number of frames of a step; a later frame must differ from those before it."""
    min_seconds: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """A shorter step is merged with its neighbor; 0 merges none. Default 2 for subtitles, 0 for annotated
    segments."""
    max_steps: int = Field(default=20, ge=1, le=500)
    """Maximum number of steps of one document; a longer video gives several documents."""


class AnnotatedFrames(Frames):
    """The same settings for annotated segments, which are steps already."""

    min_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """A shorter segment is merged with its neighbor; default 0: none."""


class Transcription(Section):
    """Speech recognition for videos without subtitles; needs the extra `leafinstruct[speech]`."""

    model: str = Field(min_length=1)
    """Name or folder of a faster-whisper model."""
    language: str | None = Field(default=None, min_length=2)
    """Language code; None lets the model detect it."""


class VideoSource(FileSource):
    """Videos with subtitles beside them: a.mp4 with a.vtt, a.en-US.vtt or a.srt."""

    kind: Literal["video"] = "video"
    path: str = Field(min_length=1)
    """A video, a folder searched for them, or a glob. Relative to the recipe."""
    language: str | None = Field(default=None, min_length=2)
    """Which of several subtitle files to use: `en` uses `a.en.vtt`, else `a.en-US.vtt`; None uses `a.vtt`,
    else the only language."""
    frames: Frames = Frames()
    speech: Transcription | None = None
    """Recognize the speech of videos without subtitles; off by default."""


class YouCook2Source(FileSource):
    """YouCook2: annotated segments of cooking videos, one sentence each."""

    kind: Literal["youcook2"] = "youcook2"
    path: str = Field(min_length=1)
    """The annotations' JSON. Relative to the recipe."""
    videos: str = Field(min_length=1)
    """Folder of the video files, searched for `<video id>.<any video suffix>`."""
    subset: Literal["training", "validation", "testing"] | None = None
    """Only this subset; None takes all."""
    frames: AnnotatedFrames = AnnotatedFrames()

    @field_validator("frames", mode="before")
    @classmethod
    def _annotated(cls, frames: Any) -> Any:
        """Drop the defaults of settings that were made for subtitles."""
        return frames.model_dump(exclude_unset=True) if isinstance(frames, Frames) else frames


class VistSource(FileSource):
    """VIST, story in sequence: five photographs, each with a sentence."""

    kind: Literal["vist"] = "vist"
    path: str = Field(min_length=1)
    """A .json file of stories, a folder searched for them, or a glob. Relative to the recipe."""
    images: str | None = Field(default=None, min_length=1)
    """Folder of the photographs, `<photo_flickr_id>.jpg`; None uses their URLs on the web."""


class SketchbookSource(Source):
    """The embedded corpus: drawn how-to documents with ground truth, written as genuine files of several
    formats and then read like any source."""

    kind: Literal["sketchbook"] = "sketchbook"
    name: Name = "sketchbook"
    """Names the source in ids, parts and rows; changing it changes every id."""
    seed: int = Field(ge=0)
    """Seed of the whole corpus."""
    documents: int = Field(gt=0)
    """Number of documents over all web formats."""
    videos: int = Field(default=0, ge=0)
    """Number of additional videos, with annotations like YouCook2's and subtitles."""
    image_px: int = Field(default=128, ge=16, le=1024)
    """Side of an image in pixels; 128 is pretty to look at and quick to draw."""
    defects: dict[str, float] = Field(default={})
    """Planted defects: name -> share of documents. Names: of documents.plan.DEFECTS and of the classes of
    planting.catalog.PLANTERS. Default: none."""
    topics: tuple[Literal["lesson", "story", "edit", "assembly", "map"], ...] = (
        "lesson",
        "story",
        "edit",
        "assembly",
        "map",
    )
    """Topics of the documents, in turn."""
    formats: tuple[Literal["mmc4", "html", "warc", "obelics"], ...] = ("mmc4", "html", "warc", "obelics")
    """File formats of the pages, in turn."""
    layout: Literal["any", "text_first"] = "any"
    """`any` lays out each page in its own way. `text_first` puts every step's text right before its image and
    uses no headings, figures or captions below the title; MMC4 can only store the other order."""
    scenery: Literal["marked", "plain", "none"] = "marked"
    """`marked`: backgrounds with pale marks, so that no two documents share an image. `plain`: the same scene
    is always the same image. `none`: lessons on empty paper, so that an image shows nothing that no text
    mentions."""
    style: Literal["pencil", "chalk", "shadow"] = "pencil"
    """Colored pencils on paper; chalk on a board (the same things in the same places, with other colors,
    edges and texture); or pencil where every thing casts a gray shadow."""
    held_out: Literal["with", "without", "only"] = "with"
    """A tenth of the combinations of a lesson's thing and first two colors is held out: `without` draws other
    lessons instead, `only` draws no others, so that a model can be evaluated on combinations it never saw in
    training."""
    lesson_steps: int = Field(default=8, ge=3, le=8)
    """Maximum number of steps of a lesson, limited to what fits a small model's context."""


KINDS: dict[str, type[Source]] = {
    model.model_fields["kind"].default: model
    for model in (
        Mmc4Source,
        ObelicsSource,
        Mint1tSource,
        HtmlSource,
        WarcSource,
        HubSource,
        ConversationsSource,
        VideoSource,
        YouCook2Source,
        VistSource,
        SketchbookSource,
    )
}
"""The kinds of leafinstruct itself."""
READER = ("Source", "LIBRARIES", "SUFFIXES", "root_of", "plan", "read")
"""Names in the module of a reader of another package: readers.base.Reader, and the class of its source."""


def extensions() -> dict[str, Extension]:
    """Return the readers of installed packages by kind. Raises RecipeError for a kind that exists twice."""
    return installed("leafinstruct.readers", KINDS)


def source_class(kind: str) -> type[Source] | None:
    """Return the class of a kind; None for an unknown one. Imports the package of an extension.

    Raises RecipeError if it cannot be imported, or lacks a part of a reader.
    """
    if (extension := extensions().get(kind)) is None:
        return KINDS.get(kind)
    model = extension.load(READER).Source
    if not (
        isinstance(model, type)
        and issubclass(model, FileSource)
        and model.model_fields["kind"].default == kind
    ):
        raise extension.fault(f"has a Source that is no FileSource with `kind: Literal[{kind!r}] = {kind!r}`")
    return model


def source_of(given: Any) -> Any:
    """Check a source of a recipe with the class of its kind. Raises ValidationError, and what source_class
    raises."""
    if isinstance(given, Source):
        return given
    kind = given.get("kind") if isinstance(given, Mapping) else None
    model = source_class(kind) if isinstance(kind, str) else None
    return _union(None if kind in KINDS else model).validate_python(given)


@lru_cache
def _union(extension: type[Source] | None) -> TypeAdapter[Any]:
    """The check of a source of one of our kinds, or of that of an extension."""
    models = (*KINDS.values(), *([] if extension is None else [extension]))
    kinds: Any = Annotated[Union[models], Field(discriminator="kind")]  # noqa: UP007
    return TypeAdapter(kinds)


def refuse_repeated(sources: Sequence[Source]) -> None:
    """Raise ValueError if two sources have one name."""
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"two sources are called {twice[0]!r}; names are part of every id, so each source needs its own"
        )


class IngestConfig(Section):
    """The sources, and what to do about a stream that ends early."""

    sources: list[SerializeAsAny[Annotated[Source, PlainValidator(source_of)]]] = Field(min_length=1)
    """Read in this order; names are unique."""
    truncated: Literal["fail", "keep"] = "fail"
    """What to do when a stream ends early: `fail` stops the build after everything else is read, `keep` uses
    the records before the cut. Half a file is usually a broken download, hence `fail`."""

    @field_validator("sources")
    @classmethod
    def _unique(cls, sources: list[Source]) -> list[Source]:
        refuse_repeated(sources)
        return sources
