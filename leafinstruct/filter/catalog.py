"""The catalog of scores. It holds only data, so a recipe is checked without loading a model.

A score is named `<family>.<name>` and declared here once. A module in `scores/` computes it, and a rule
decides on it. PASSES is ordered by cost: cheap passes run first, and a dropped document is not scored any
further. Name and version are part of the key of every table that holds the score and of every decision on it,
so a new or changed score is computed without anything else being computed again.

An installed package declares scores of its own: entry points `leafinstruct.scores`, each named like its score
and with a Score (filter/score.py) that has `compute`. A package is imported when a recipe's rule names one of
its scores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Literal, get_args

from leafinstruct.filter.score import Level, Score
from leafinstruct.filter.scores import declared as declarations

GROUP: Literal["leafinstruct.scores"] = "leafinstruct.scores"
"""Entry points of scores of installed packages."""

JUDGE_ASPECTS = {
    "text_quality": "clear and correct text without advertising or filler",
    "narrative_coherence": "order of the segments, each building on those before",
    "instruction_value": "help to a person who asks for exactly this",
    "image_consistency": "same style, things and progress in the images shown; needs 2 of them",
    "completeness": "nothing that the document needs is missing or cut off",
    "safety": "nothing in it that could harm a reader or another person",
}
"""Aspects of a whole document that a language model judges with 1 (worst) to 5 (best) -> meaning. It also
judges the relevance of each image that it is shown to the image's own text (`judge.image_relevance`)."""

RULES_FIELDS = ("text_quality", "narrative_coherence", "text_image_relevance", "instruction_value")
"""What the rule-based judge computes, each 1 (worst) to 5 (best)."""

CLIP_FAMILIES = ("alignment", "coherence")
"""Families computed from CLIP embeddings."""

JUDGE = 3
"""Version of the `judge.*` scores."""
OFFLINE_RULES = 4
"""Version of the `rules.*` scores."""
OFFLINE_JUDGE = f"offline-rules@{OFFLINE_RULES}"
"""Name of the written rules as a model. Their answers are cached under it, and recipes name it."""

PERPLEXITY = "perplexity"
"""Family computed by the language model of `filter.perplexity`."""

MODEL_FAMILIES = (*CLIP_FAMILIES, PERPLEXITY, "judge", "rules")
"""Families whose values depend on a model, which their rules must name."""


_DECLARED = (
    Score(
        "document.language_confidence",
        "document",
        "share of the text that is in the document's language, [0, 1]",
    ),
    Score(
        "document.heading_language",
        "document",
        "1 if title and headings are in another language than its other texts, else 0",
    ),
    Score(
        "text.words",
        "document",
        (
            "words by UAX 29; in scripts without spaces, 1.5 ideographs or 3 clusters of Thai, Lao, "
            "Khmer or Burmese count as one"
        ),
    ),
    Score("text.images", "document", "image segments that the reader found"),
    Score(
        "text.mean_word_length",
        "document",
        (
            "characters per word (Gopher keeps 3 to 10); not applicable if most words are in scripts "
            "without spaces"
        ),
    ),
    Score(
        "text.symbols",
        "document",
        (
            "share of characters that are neither letters, combining marks, digits, white space nor "
            "punctuation of prose, [0, 1]"
        ),
    ),
    Score("text.capitals", "document", "share of capitals among letters of all scripts, [0, 1]"),
    Score("text.links", "document", "URLs and e-mail addresses per 100 words"),
    Score(
        "text.repetition",
        "document",
        "share of words inside a run of 5 words that occurs earlier in the document, [0, 1]",
    ),
    Score("text.exclamations", "document", "exclamation marks of all scripts per 100 words"),
    *(
        Score(f"text.{name}", "document", meaning, declarations.PROSE_VERSIONS.get(name, 1))
        for name, meaning in declarations.PROSE
    ),
    *(
        Score(f"personal.{name}", "document", f"{meaning}, counted before they are masked")
        for name, meaning in (
            ("emails", "e-mail addresses"),
            ("phones", "telephone numbers"),
            ("cards", "numbers of payment cards with a valid checksum"),
            ("ibans", "numbers of bank accounts (IBAN) with a valid checksum"),
            ("ips", "IP addresses of the public internet"),
            ("keys", "API keys, tokens and private keys"),
        )
    ),
    Score(
        "toxicity.words",
        "document",
        "insults and vulgar words of a list per 100 words; not applicable to languages without a list",
    ),
    Score(
        "markup.decoration",
        "image",
        "share of the words of its file name (or folder) that name decoration, such as `logo`, [0, 1]",
        2,
    ),
    Score("markup.alt_words", "image", "words of its alternative text; 0 for names of files and `image`"),
    Score(
        "markup.alt_repetition",
        "image",
        "share of the words of its alternative text that occurred in it before, [0, 1]",
    ),
    Score("image.decoded", "image", "1 if the bytes were read and decode as an image, else 0", 2),
    Score("image.side", "image", "shorter side, pixels"),
    Score("image.aspect", "image", "longer side over shorter side, at least 1"),
    Score("image.entropy", "image", "entropy of the gray histogram, bits, [0, 8]; 0 for one flat color", 2),
    Score("image.sharpness", "image", "standard deviation of the Laplacian at 256 px, gray levels", 2),
    *(Score(f"image.{name}", "image", meaning) for name, meaning in declarations.PIXELS),
    Score(
        "image.quality",
        "image",
        "quality of a JPEG file by its quantization tables, [1, 100]; 100 for other formats",
    ),
    Score(
        "sequence.ssim",
        "document",
        "mean structural similarity of adjacent images; not applicable to fewer than two, [-1, 1]",
        2,
    ),
    *(
        Score(f"sequence.{name}", level, meaning, version)
        for name, level, meaning, version in declarations.SEQUENCE
    ),
    Score(
        "perplexity.texts",
        "document",
        "exp of the mean negative log-likelihood of a token by filter.perplexity.model, at least 1",
    ),
    Score(
        "alignment.own",
        "image",
        "cosine with the text that owns it; alignment.beside if no owner is known, [-1, 1]",
    ),
    Score(
        "alignment.beside",
        "image",
        "largest cosine with a text next to it: nearest before, nearest after or caption, [-1, 1]",
    ),
    Score(
        "alignment.margin",
        "image",
        "alignment.own minus the mean cosine with the document's other texts, [-2, 2]",
    ),
    Score("alignment.mean", "document", "mean of alignment.own over kept images, [-1, 1]"),
    Score("alignment.min", "document", "smallest alignment.own of the kept images, [-1, 1]"),
    Score(
        "alignment.share",
        "document",
        "share of kept images with alignment.own at or above filter.alignment.share_above, [0, 1]",
    ),
    Score(
        "alignment.unknown_words", "document", "share of tokens that the model never saw in training, [0, 1]"
    ),
    Score(
        "coherence.sequence",
        "document",
        "mean cosine of adjacent images minus mean cosine of all pairs, [-2, 2]; needs 3 images",
    ),
    Score("coherence.adjacent", "document", "mean cosine of adjacent images, [-1, 1]; needs 2 images"),
    Score("coherence.all_pairs", "document", "mean cosine of all pairs of images, [-1, 1]; needs 2 images"),
    Score("coherence.lowest", "document", "smallest cosine of adjacent images, [-1, 1]; needs 2 images"),
    Score("coherence.highest", "document", "largest cosine of adjacent images, [-1, 1]; needs 2 images"),
    Score("duplicate.within", "image", "earlier images of the same document with the same bytes"),
    Score(
        "duplicate.near_within",
        "image",
        "bits in which its hash differs from the nearest earlier image; 256 if there is none",
        2,
    ),
    Score("duplicate.text", "document", "better remaining documents with the same normalized text", 2),
    Score(
        "duplicate.near_text",
        "document",
        "better remaining documents of its group, which chains of near-duplicate texts connect",
        3,
    ),
    Score(
        "duplicate.images",
        "document",
        "share of its images that a better remaining document has too, [0, 1]",
        2,
    ),
    Score(
        "duplicate.near_images",
        "document",
        "share of its images of which a better remaining document has a near one of other bytes, "
        "better than all with the same bytes, [0, 1]",
        2,
    ),
    Score(
        "duplicate.copied_images",
        "document",
        "share of its images of which a better remaining document has a copy of other bytes, [0, 1]",
    ),
    Score(
        "contamination.text",
        "document",
        "largest share of a text of filter.reference that is in it (or of it in that text), [0, 1]",
    ),
    Score(
        "contamination.images",
        "document",
        "share of its images that are, or are near to, images of filter.reference, [0, 1]",
        2,
    ),
    Score(
        "reference.dangling",
        "document",
        ("references to images (a stated number, 'as shown below', 'Figure 3') that match no kept image"),
    ),
    *(
        Score(f"judge.{aspect}", "document", f"{meaning}, 1 to 5, by the language model", JUDGE)
        for aspect, meaning in JUDGE_ASPECTS.items()
    ),
    Score(
        "judge.image_relevance",
        "image",
        "whether it shows what its own text says, 1 to 5, by the language model",
        JUDGE,
    ),
    Score(
        "judge.text_image_relevance",
        "document",
        "mean of judge.image_relevance over the kept images that were shown, 1 to 5",
        JUDGE,
    ),
    Score(
        "judge.least_image_relevance",
        "document",
        "smallest judge.image_relevance of the kept images that were shown, 1 to 5",
        JUDGE,
    ),
    *(
        Score(
            f"rules.{field}",
            "document",
            f"{field.replace('_', ' ')}, 1 to 5, by written rules",
            OFFLINE_RULES,
        )
        for field in RULES_FIELDS
    ),
)

SCORES: dict[str, Score] = {score.name: score for score in _DECLARED}

_EXAMINED = (
    ("instruction_fit", "a person would ask this, and the response answers exactly this"),
    ("completeness", "the response contains everything that the task asks for from the source"),
    (
        "text_image_fit",
        "each image is beside its text, which describes what it shows; not applicable if none was shown",
    ),
    ("faithfulness", "everything follows from the source and its images"),
    ("fluency", "correct, natural text without remarks about the web page"),
)
OF_EXAMPLES: dict[str, Score] = {
    score.name: score
    for score in (
        *(
            Score(f"examined.{field}", "document", f"{meaning}, 1 to 5, by the language model")
            for field, meaning in _EXAMINED
        ),
        Score("examined.round", "document", "times that the example went back to the rewriter, from 0"),
    )
}
"""Scores of finished examples, which rewrite computes (rewrite/refine). No rule can use them, because rules
decide before."""


Versions = dict[str, dict[str, int]]
"""Family -> name in it -> version, as keys and fingerprints hold them."""


def versions(wanted: Callable[[Score], bool]) -> Versions:
    """The versions of the wanted scores."""
    found: Versions = {}
    for score in filter(wanted, SCORES.values()):
        found.setdefault(score.family, {})[score.name.partition(".")[2]] = score.version
    return found


def of_packages() -> list[str]:
    """Names of the scores of installed packages."""
    from leafinstruct.runtime.extensions import installed  # 20 ms, and most recipes need none

    return list(installed(GROUP, SCORES))


CLASSIFIERS: dict[Literal["images", "texts"], str] = {"images": "classifier", "texts": "text_classifier"}
"""What a classifier of a recipe (`filter.classifiers`) classifies -> family of its score."""


def declared(name: str) -> Score:
    """The score of a name, of leafinstruct, of an installed package or of a classifier. Raises KeyError,
    RecipeError if the package cannot be imported or declares no score."""
    family = name.partition(".")[0]
    if family in CLASSIFIERS.values():
        return Score(name, "image" if family == CLASSIFIERS["images"] else "document", "output for a label")
    return SCORES[name] if name in SCORES else _of_package(name, tuple(sys.path))


@cache
def _of_package(name: str, path: tuple[str, ...]) -> Score:  # noqa: ARG001 - where packages are searched
    from leafinstruct.runtime.extensions import installed

    extension = installed(GROUP, SCORES)[name]
    score: Score = extension.load()
    family = name.partition(".")[0]
    taken = {*CLASSIFIERS.values(), *(known.family for known in SCORES.values())}
    fault = (
        "is no Score with compute (leafinstruct.filter.score)"
        if not isinstance(score, Score) or not callable(score.compute)
        else f"declares {score.name!r}; both names must be equal, like family.name"
        if score.name != name or not (family and name.partition(".")[2])
        else f"is of the family {family}, which is one of leafinstruct: rename it"
        if family in taken
        else f"has the level {score.level!r}, not document or image"
        if score.level not in get_args(Level)
        else None
    )
    if fault is not None:
        raise extension.fault(fault)
    return replace(score, package=str(extension))
