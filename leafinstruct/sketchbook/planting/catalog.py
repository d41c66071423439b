"""The classes of planted defects by name. They were written down before any score for them existed, so that
no score could shape its own test."""

from __future__ import annotations

from functools import partial

from leafinstruct.sketchbook.planting import copies, documents, images, pixels, text, text_classes
from leafinstruct.sketchbook.planting.images import added, damaged, imitated, twice
from leafinstruct.sketchbook.planting.planter import Planter

IMAGE, DOCUMENT = "score: image", "score: document"
WITHIN, NEAR, ORDER = "score: duplicate within", "score: near duplicate", "score: order of steps"
REPEATED, CLIP, JUDGE = "score: text.repetition", "clip", "judge"
ONE = "one image"


def _damage(name: str, does: str, change: images.Change, *seen: str) -> Planter:
    return Planter(name, "image", does, (*seen, CLIP, JUDGE), ONE, partial(damaged, change))


def _imitation(name: str, does: str, change: images.Change, file: str, alt: str) -> Planter:
    return Planter(name, "image", does, (IMAGE, CLIP, JUDGE), ONE, partial(imitated, change, file, alt))


_IMAGE = (
    _damage("blurred", "blurred by a 16th of its side", pixels.blurred, IMAGE),
    _damage("noise", "random pixels", pixels.noise, IMAGE),
    _damage("flat_color", "one color", pixels.flat_color, IMAGE),
    _damage("low_contrast", "a twentieth of its contrast", pixels.low_contrast, IMAGE),
    _damage("text_only_image", "an image of text", pixels.text_only, IMAGE),
    _damage("qr_code", "a QR code", pixels.qr, IMAGE),
    _damage("screenshot", "a drawn screenshot of a program", pixels.screenshot, IMAGE),
    Planter(
        "watermark_bar",
        "image",
        "a bar with an agency's name",
        (IMAGE, JUDGE),
        ONE,
        partial(damaged, pixels.watermark_bar),
    ),
    Planter(
        *("watermark_tiled", "image", "pale words over the image", (IMAGE, JUDGE), ONE),
        partial(damaged, pixels.watermark_tiled),
    ),
    _damage("tiny_upscaled", "reduced to 16 px and enlarged", pixels.tiny_upscaled, IMAGE),
    Planter("heavy_jpeg", "image", "a JPEG of quality 2", (IMAGE, JUDGE), ONE, images.heavy_jpeg),
    Planter(
        "broken_file", "image", "a file cut after a third", ("score: image.decoded",), ONE, images.broken
    ),
    Planter(
        *("tiny_icon", "image", "an additional icon of 24 px", ("score: image.side",), "one more image"),
        partial(added, images.icon, "figure.png", ""),
    ),
    Planter(
        *("logo", "image", "an additional logo, so named in its URL", (IMAGE, CLIP, JUDGE), "one more image"),
        partial(added, pixels.logo, "site-logo.png", "logo"),
    ),
    Planter(
        *(
            "button",
            "image",
            "an additional button, so named in its URL",
            (IMAGE, CLIP, JUDGE),
            "one more image",
        ),
        partial(added, pixels.button, "btn-download.png", "download"),
    ),
    Planter(
        *(
            "banner",
            "image",
            "an additional banner of 728 x 90 px",
            ("score: image.aspect", CLIP),
            "one more image",
        ),
        partial(added, pixels.banner, "promo-728x90.png", ""),
    ),
    _imitation(
        "placeholder", "a shop's `no image`", pixels.placeholder, "no-image.png", "image not available"
    ),
    Planter(
        "bad_alt",
        "image",
        "alt texts that describe nothing",
        ("score: alt text", JUDGE),
        "all alt texts",
        images.bad_alt,
        markup=True,
    ),
    *(
        Planter(
            name,
            "image",
            f"{what} instead of another image",
            (WITHIN, CLIP, JUDGE),
            ONE,
            partial(twice, change),
            "copy",
            2,
        )
        for name, what, change in (
            ("duplicated", "the same image again", None),
            ("mirrored", "an image again, mirrored", pixels.mirrored),
            ("cropped", "an image again, a tenth cut off each side", pixels.cropped),
        )
    ),
    Planter(
        *("recompressed", "image", "an image again, as JPEG of quality 40", (WITHIN, CLIP, JUDGE), ONE),
        *(images.recompressed, "copy", 2),
    ),
    Planter(
        "foreign_image", "image", "one image of another document", (CLIP, JUDGE), ONE, images.foreign_image
    ),
)

_DOCUMENT = (
    Planter(
        "short_text",
        "document",
        "a word beside each of two images",
        ("rule: min_words",),
        "whole page",
        text.too_short,
        "document",
        2,
    ),
    Planter(
        "image_dump",
        "document",
        "twenty images and one sentence",
        (DOCUMENT, JUDGE),
        "whole page",
        documents.image_dump,
        "document",
    ),
    Planter(
        "text_dump",
        "document",
        "texts of five pages below two images",
        (DOCUMENT, JUDGE),
        "whole page",
        documents.text_dump,
        "document",
        2,
    ),
    Planter(
        "images_shuffled",
        "document",
        "no image at its place",
        (CLIP, JUDGE),
        "all images",
        documents.images_shuffled,
        "document",
        3,
    ),
    Planter(
        *("images_of_another", "document", "all images of another document", (CLIP, JUDGE), "all images"),
        *(documents.images_of_another, "document", 2),
    ),
    Planter(
        "captions_swapped",
        "document",
        "every caption under another image",
        (CLIP, JUDGE),
        "all captions",
        documents.captions_swapped,
        "document",
        3,
        markup=True,
    ),
    Planter(
        *(
            "missing_references",
            "document",
            "references to images that are not there",
            ("score: reference.dangling", JUDGE),
        ),
        *("three sentences", documents.missing_references, "document"),
    ),
)

_SEQUENCE = (
    Planter(
        "nothing_changes",
        "sequence",
        "all images almost the same",
        (WITHIN, "score: coherence", CLIP, JUDGE),
        "all images",
        documents.nothing_changes,
        "document",
        3,
    ),
    Planter(
        "nothing_in_common",
        "sequence",
        "each image of another document",
        ("score: coherence", CLIP, JUDGE),
        "all images",
        documents.nothing_in_common,
        "document",
        3,
    ),
    *(
        Planter(
            *(f"{name}{suffix}", "sequence", f"{does}; {pages}", seen_by, "all steps", plant, "document"),
            images=3,
            texts=3,
            suits=suits,
        )
        for name, does, plant in (
            ("reversed_order", "steps from the last to the first", documents.reversed_order),
            ("shuffled_steps", "no step at its place", documents.shuffled),
        )
        for suffix, pages, seen_by, suits in (
            ("", "pages whose steps are numbered", (ORDER, JUDGE), documents.is_numbered),
            ("_unnumbered", "pages whose steps have no numbers", (JUDGE,), documents.is_unnumbered),
        )
    ),
    Planter(
        "repeated_step",
        "sequence",
        "one step three times in a row",
        (WITHIN, REPEATED, JUDGE),
        "one step",
        documents.repeated_step,
        "document",
        3,
        3,
    ),
)


def _copy(name: str, does: str, seen: str, strength: str, plant: object, texts: int = 1) -> Planter:
    return Planter(name, "duplicate", does, (seen,), strength, plant, "document", 1, texts, True)  # type: ignore[arg-type]


_DUPLICATE = (
    _copy("exact_copy", "a document again", "score: duplicate.text", "nothing changed", copies.exact),
    _copy(
        "boilerplate_around",
        "a document again, with a site's sentences around it",
        NEAR,
        "two sentences",
        copies.boilerplate_around,
    ),
    _copy(
        "words_changed",
        "a document again, with other words",
        NEAR,
        "a tenth of the words",
        copies.words_changed,
    ),
    _copy(
        "paragraphs_reordered",
        "a document again, its paragraphs in another order",
        NEAR,
        "all paragraphs moved",
        copies.paragraphs_reordered,
        3,
    ),
    *(
        _copy(
            f"images_{name}",
            f"its images again, {what}, with another text",
            "score: near duplicate images",
            what,
            partial(copies.images_copied, change),
        )
        for name, what, change in (
            ("cropped", "a tenth cut off each side", pixels.cropped),
            ("mirrored", "mirrored", pixels.mirrored),
            ("resized", "three quarters of the size", pixels.resized),
        )
    ),
    Planter(
        "benchmark_item",
        "duplicate",
        "an item of a benchmark inside a paragraph",
        ("score: contamination",),
        "one sentence",
        copies.benchmark_item,
    ),
)

PLANTERS = {
    planter.name: planter for planter in (*text_classes.CLASSES, *_IMAGE, *_DOCUMENT, *_SEQUENCE, *_DUPLICATE)
}
