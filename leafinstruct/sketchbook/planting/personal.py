"""Planters of personal data. Every value is made up at run time, in the form of a real one.

Filter leaves what it knows to be nobody's, such as `.example` and 555-0100, so values have other forms. A
host is 16 random letters, which nobody registered. Telephone numbers are valid, and of ranges that are kept
for fiction by regulators: Ofcom in the United Kingdom, BNetzA in Germany, ARCEP in France, PTS in Sweden.
Card numbers have a valid check digit (ISO/IEC 7812-1), keys the prefixes by which scanners of source code
find them.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from leafinstruct.sketchbook.documents.blocks import Blocks
from leafinstruct.sketchbook.planting.planter import Material, Planted, inserted

FIRST = ("anna", "boris", "carla", "deniz", "emil", "farah", "goran", "hanna", "ivo", "jana")
LAST = ("petersen", "okoye", "lindqvist", "moreau", "tanaka", "rossi", "novak", "haddad")
SUFFIXES = ("net", "org", "de", "fr")
RANGES = (
    "+44 20 7946 01",
    "+44 161 496 03",
    "+49 30 23125 1",
    "+49 89 99998 4",
    "+33 1 99 00 12 ",
    "+46 8 465 004 ",
)
"""Beginnings of numbers that are kept for fiction; two digits follow."""
Value = Callable[[random.Random], str]
VALUES = 3
"""Values in a page."""


def email(rng: random.Random) -> str:
    host = "".join(rng.choices(string.ascii_lowercase, k=16))
    return f"{rng.choice(FIRST)}.{rng.choice(LAST)}{rng.randint(1, 99)}@{host}.{rng.choice(SUFFIXES)}"


def phone(rng: random.Random) -> str:
    return f"{rng.choice(RANGES)}{rng.randint(0, 99):02d}"


def card(rng: random.Random) -> str:
    """A card number of 16 digits with its check digit by the Luhn formula."""
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    digits.append(-sum(doubled) % 10)
    number = "".join(map(str, digits))
    return " ".join(number[at : at + 4] for at in range(0, 16, 4))


def ip_address(rng: random.Random) -> str:
    """A public IPv4 address; the first number is of no reserved range."""
    first = rng.choice([number for number in range(20, 200) if number not in (100, 127, 169, 172, 192, 198)])
    return f"{first}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randint(1, 254)}"


def key(rng: random.Random) -> str:
    """An access key in the form of three providers."""
    letters = string.ascii_letters + string.digits
    kind = rng.randrange(3)
    if kind == 0:
        return "AKIA" + "".join(rng.choices(string.ascii_uppercase + "234567", k=16))
    return (
        ("ghp_" + "".join(rng.choices(letters, k=36)))
        if kind == 1
        else ("sk-" + "".join(rng.choices(letters, k=48)))
    )


SENTENCES: dict[Value, str] = {
    email: "Write to {0} if you have a question, and put {1} and {2} in copy.",
    phone: "Call {0} in the morning; in the evening {1} or {2} answer.",
    card: "Pay with card {0}. If it is refused, try {1}, and last {2}.",
    ip_address: "The visitor came from {0}, then from {1}, and logged in from {2}.",
    key: "Our access key is {0}. The old ones were {1} and {2}.",
}


def private(value: Value, blocks: Blocks, material: Material) -> Planted:
    """Insert a sentence with three values of one kind."""
    rng = material.rng
    return inserted(blocks, [SENTENCES[value].format(*(value(rng) for _ in range(VALUES)))], rng)
