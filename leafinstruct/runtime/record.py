"""What `record.json` states of a finished stage."""

from __future__ import annotations

from typing import TypedDict

Fingerprint = dict[str, object]
"""Everything that determines a stage's output, as JSON: settings, versions, digests."""


class Failed(TypedDict):
    """A document that was dropped because a score could not be computed for a temporary reason."""

    id: str
    rule: str


class QuestionsUsed(TypedDict):
    """A file of questions that examples were made with. read_by: who checked its language."""

    sha256: str
    read_by: str | None


class LargestGroup(TypedDict):
    """The largest group of rows that stay in one split. share: of all rows."""

    rows: int
    share: float
    split: str


class RuleFacts(TypedDict, total=False):
    """A rule as cards and pages show it: fields that differ from their defaults, and the level of its score.
    model: its name instead of a local path."""

    score: str
    level: str
    min: float
    max: float
    model: str
    drop: str
    uncalibrated: bool


class ReferenceFacts(TypedDict):
    """What documents were compared with for contamination: names of its sources, number of its documents, of
    those with too short a text to be compared, of its images, and of those that could not be read."""

    sources: list[str]
    documents: int
    short: int
    images: int
    unread: int


class AgreementFacts(TypedDict):
    """How far several judges agree on one aspect (records/agreement/raters). None: undefined."""

    aspect: str
    annotators: list[str]
    items: int
    kappa: float | None
    weighted: float | None
    spearman: float | None


class PreferenceFacts(TypedDict):
    """The preference rows of a dataset. kinds: rows of each. splits: split -> rows, images, bytes, and bytes
    before compression. without: rows of the dataset that got none. other_question: worse rounds that answer
    another question than the best one."""

    kinds: dict[str, int]
    splits: dict[str, dict[str, int]]
    without: int
    other_question: int


class StageFacts(TypedDict, total=False):
    """What `run` of a stage adds to its record.

    ingest: roots (source -> folder, relative to the stage's), sources (source file -> sha256).
    filter: models, weights (sha256 of CLIP's), toy (whether the tiny CLIP was used), prompts (name ->
    sha256), unfetched (images on the web), unscreened (what nothing looked for), failed, rules, reference,
        agreement (of several judges).
    rewrite: models, prompts, questions (by language).
    shard: the split, the number of removed rows (`suppressed`), beside (file beside the shards -> sha256),
        preference.
    train: adapter (file -> sha256).
    """

    roots: dict[str, str]
    sources: dict[str, str]
    models: dict[str, str | None]
    weights: str | None
    prompts: dict[str, str]
    toy: bool
    unfetched: int
    unscreened: list[str]
    failed: list[Failed]
    rules: list[RuleFacts]
    reference: ReferenceFacts
    agreement: list[AgreementFacts]
    questions: dict[str, QuestionsUsed]
    split_by: str
    group_by: list[str]
    domains: int
    groups: int
    largest_group: LargestGroup
    warnings: list[str]
    schema: str
    suppressed: int
    preference: PreferenceFacts
    beside: dict[str, str]
    adapter: dict[str, str]


class Record(StageFacts, total=False):
    """A stage's record: totals over its parts, the digest of their files (`output`), wall seconds of the
    build that finished it, and the facts of the stage."""

    format: int
    stage: str
    fingerprint: Fingerprint
    parts: int
    counts: dict[str, int]
    reasons: dict[str, int]
    image_reasons: dict[str, int]
    edits: dict[str, int]
    output: str
    seconds: float
