"""Planters of text that nobody wrote: keyboard mash, damaged characters, dumps of bytes."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable

from leafinstruct.sketchbook.clean.sentences import text
from leafinstruct.sketchbook.documents.blocks import Blocks, Paragraph
from leafinstruct.sketchbook.planting.planter import Material, Planted, replaced, words_of

MOST = 2 / 3
LEAST = 25
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
RUBBLE = {
    "l": "1",
    "o": "0",
    "e": "c",
    "m": "rn",
    "i": "l",
    "a": "@",
    "s": "5",
    "t": "+",
    "n": "ri",
    "h": "b",
}
"""What a scanner takes letters for."""
SYMBOLS = "#$%&*+=<>|~^_/\\{}[]@"


def symbols(blocks: Blocks, material: Material) -> Planted:
    """Every other word is a run of symbols."""

    def word(rng: random.Random) -> str:
        return "".join(rng.choices(SYMBOLS, k=rng.randint(2, 7)))

    def mixed(old: str) -> str:
        words = old.split() * (1 + LEAST // (1 + len(old.split())))
        return " ".join(f"{kept} {word(material.rng)}" for kept in words)

    return replaced(blocks, MOST, material.rng, mixed)


def keyboard_mash(blocks: Blocks, material: Material) -> Planted:
    """Words of neighboring keys."""

    def word(rng: random.Random) -> str:
        return "".join(rng.choices(rng.choice(ROWS), k=rng.randint(3, 11)))

    return replaced(blocks, MOST, material.rng, lambda old: words_of(old, LEAST, material.rng, word))


def mojibake(blocks: Blocks, material: Material) -> Planted:
    """Text in UTF-8 that was read as Windows-1252."""
    rng = material.rng

    def misread(_: str) -> str:
        return text(rng.choice(("ru", "el", "fr", "de")), 3, rng).encode().decode("cp1252", errors="ignore")

    return replaced(blocks, MOST, rng, misread)


def shuffled_letters(blocks: Blocks, material: Material) -> Planted:
    """The letters of every word of four or more, in another order."""
    return replaced(blocks, 1.0, material.rng, _by_word(material.rng, _shuffled))


def ocr_rubble(blocks: Blocks, material: Material) -> Planted:
    """A third of the letters misread, words broken and joined, as of a bad scan."""
    rng = material.rng

    def misread(old: str) -> str:
        letters = [RUBBLE.get(letter, letter) if rng.random() < 0.45 else letter for letter in old]
        found = "".join(f"{letter} " if rng.random() < 0.08 else letter for letter in letters)
        return "".join("" if letter == " " and rng.random() < 0.2 else letter for letter in found)

    return replaced(blocks, 1.0, rng, misread)


def random_words(blocks: Blocks, material: Material) -> Planted:
    """The words of the page in random order: every word exists, no sentence does."""
    rng = material.rng
    pool = [word for block in blocks if isinstance(block, Paragraph) for word in block.text.split()]
    return replaced(
        blocks, 1.0, rng, lambda old: words_of(old, LEAST, rng, lambda rng: rng.choice(pool).strip(".,:;"))
    )


def byte_dump(blocks: Blocks, material: Material) -> Planted:
    """Base64, and hashes with file names."""
    rng = material.rng

    def dump(_: str) -> str:
        if rng.random() < 0.5:
            return base64.b64encode(rng.randbytes(rng.randint(200, 600))).decode()
        return " ".join(
            f"{hashlib.sha256(rng.randbytes(8)).hexdigest()} file{number}.bin"
            for number in range(rng.randint(4, 9))
        )

    return replaced(blocks, MOST, rng, dump)


def _by_word(rng: random.Random, change: Callable[[str, random.Random], str]) -> Callable[[str], str]:
    return lambda old: " ".join(change(word, rng) for word in old.split())


def _shuffled(word: str, rng: random.Random) -> str:
    if len(word) < 4:
        return word
    letters = list(word)
    rng.shuffle(letters)
    return "".join(letters)
