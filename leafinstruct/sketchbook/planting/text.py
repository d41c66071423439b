"""Planters of bad text: words without sentences, repetition, noise, foreign languages, page talk.

Most replace two thirds of the paragraphs, or insert a few. Title, headings, captions and images stay, so that
only the text shows the defect.
"""

from __future__ import annotations

from functools import partial

from leafinstruct.sketchbook.clean.sentences import text
from leafinstruct.sketchbook.documents.blocks import Blocks, Paragraph
from leafinstruct.sketchbook.planting import phrases
from leafinstruct.sketchbook.planting.planter import Material, Planted, inserted, prose_of, replaced, words_of

MOST = 2 / 3
"""Share of the paragraphs that most planters replace."""
LEAST = 25
"""Fewest words of a replaced paragraph."""


def keywords(blocks: Blocks, material: Material) -> Planted:
    """Lists of key words without stop words."""
    rng = material.rng
    return replaced(
        blocks, MOST, rng, lambda old: words_of(old, LEAST, rng, lambda rng: rng.choice(phrases.KEYWORDS))
    )


def list_only(blocks: Blocks, material: Material) -> Planted:
    """Lists of two or three words an item."""
    rng = material.rng

    def items(_: str) -> Paragraph:
        lines = [" ".join(rng.sample(phrases.KEYWORDS, rng.randint(2, 3))) for _ in range(12)]
        return Paragraph("\n".join(lines), kind="list")

    return replaced(blocks, 1.0, rng, items)


def teasers(blocks: Blocks, material: Material) -> Planted:
    """Beginnings of other articles, each with an ellipsis and `Read more`."""
    rng = material.rng

    def teaser(_: str) -> str:
        return " ".join(f"{line} Read more ..." for line in rng.sample(phrases.TEASERS, 2))

    return replaced(blocks, 1.0, rng, teaser)


def repeated_lines(blocks: Blocks, material: Material) -> Planted:
    """One sentence of the page, again and again."""
    rng = material.rng
    places = prose_of(blocks)
    line = _text(blocks, rng.choice(places)).partition(". ")[0].rstrip(".") + "."
    return replaced(blocks, MOST, rng, lambda _: " ".join([line] * rng.randint(5, 8)))


def repeated_paragraphs(blocks: Blocks, material: Material) -> Planted:
    """Each of two paragraphs three more times."""
    rng = material.rng
    planted = [_text(blocks, index) for index in rng.sample(prose_of(blocks), 2)] * 3
    made = inserted(blocks, planted, rng)
    return Planted(made.blocks, ())


def truncated(blocks: Blocks, material: Material) -> Planted:
    """The page ends in the middle of a word, after half of its paragraphs; images stay."""
    places = prose_of(blocks)
    middle = places[len(places) // 2]
    old = _text(blocks, middle)
    kept = [block for block in blocks[middle + 1 :] if not isinstance(block, Paragraph)]
    cut = old[: max(8, len(old) * material.rng.randint(30, 70) // 100)].rstrip(" .,;:")
    cut = cut[:-1] if cut[-1:].isalpha() and old[len(cut) : len(cut) + 1] in ("", " ", ".") else cut
    return Planted((*blocks[:middle], *kept, Paragraph(cut)), (cut,))


def foreign(share: float, blocks: Blocks, material: Material) -> Planted:
    """A share of the paragraphs in one other language; title, headings and alt texts stay."""
    rng = material.rng
    own = " ".join(_text(blocks, index) for index in prose_of(blocks))
    others = [code for code in ("de", "es", "ru", "el", "ko") if code != "ru" or own.isascii()]
    language = rng.choice(others)
    return replaced(blocks, share, rng, lambda _: text(language, 3, rng))


def everywhere(paragraph: str, blocks: Blocks, material: Material) -> Planted:
    """The same paragraph that other pages of the corpus have too."""
    return inserted(blocks, [paragraph], material.rng)


def lines_of(lines: tuple[str, ...], count: int, blocks: Blocks, material: Material) -> Planted:
    """Some of these lines, each as a paragraph."""
    return inserted(blocks, material.rng.sample(lines, count), material.rng)


def page_talk(blocks: Blocks, material: Material) -> Planted:
    """Two thirds of the paragraphs talk about the page instead of its subject."""
    rng = material.rng
    return replaced(blocks, MOST, rng, lambda _: " ".join(rng.sample(phrases.PAGE_TALK, 2)))


def advertising(blocks: Blocks, material: Material) -> Planted:
    """Two thirds of the paragraphs are advertising."""
    rng = material.rng
    return replaced(blocks, MOST, rng, lambda _: " ".join(rng.sample(phrases.ADVERTISING, 2)))


def seo(blocks: Blocks, material: Material) -> Planted:
    """Sentences that exist for their search terms."""
    rng = material.rng

    def stuffed(_: str) -> str:
        return " ".join(rng.choice(phrases.SEO).format(*rng.sample(phrases.SEARCH, 3)) for _ in range(3))

    return replaced(blocks, MOST, rng, stuffed)


def machine(blocks: Blocks, material: Material) -> Planted:
    """Phrases of an assistant that was asked for an article."""
    rng = material.rng
    return replaced(blocks, MOST, rng, lambda _: " ".join(rng.sample(phrases.MACHINE, 3)))


def toxic(blocks: Blocks, material: Material) -> Planted:
    """Insults of the stated list, in four sentences."""
    rng = material.rng
    lines = [line.format(*rng.sample(phrases.INSULTS, 2)) for line in rng.sample(phrases.TOXIC, 4)]
    return inserted(blocks, [" ".join(lines[:2]), " ".join(lines[2:])], rng)


def license_text(blocks: Blocks, material: Material) -> Planted:
    """A license instead of all paragraphs."""
    rng, turn = material.rng, iter(range(10_000))
    return replaced(blocks, 1.0, rng, lambda _: phrases.LICENSE[next(turn) % len(phrases.LICENSE)])


def code_dump(blocks: Blocks, material: Material) -> Planted:
    """Code instead of all paragraphs."""
    rng = material.rng

    def code(_: str) -> Paragraph:
        listing = rng.choice(phrases.CODE).replace("{n}", str(rng.randint(10, 999)))
        return Paragraph(listing, kind="code")

    return replaced(blocks, 1.0, rng, code)


def too_short(blocks: Blocks, material: Material) -> Planted:
    """A word or two beside each of two images, and no other text."""
    images = [block for block in blocks if not isinstance(block, Paragraph)][:2]
    words = material.rng.sample(("look here", "so far", "done", "a picture", "it is new"), 2)
    made: list[object] = []
    for image, word in zip(images, words, strict=False):
        made += [Paragraph(word), image]
    return Planted((Paragraph("New picture", heading=True), *made), ())  # type: ignore[arg-type]


def _text(blocks: Blocks, index: int) -> str:
    block = blocks[index]
    assert isinstance(block, Paragraph)
    return block.text


wrong_language = partial(foreign, 1.0)
mixed_language = partial(foreign, 0.5)
