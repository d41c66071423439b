"""All words of documents without defects, including alt texts and captions: lower case, with the digits of
step numbers.

The vocabulary is closed on purpose. A tokenizer, a tiny CLIP or a language model of Sketchbook needs no other
token, and a text with another word is planted spam. Two tests check the list: all words of documents are in
it, and every word in it occurs in a document.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLORS = _words("red orange yellow green blue purple pink brown white grey")

NUMBERS = _words("1 2 3 4 5 6 7 8 first second third fourth fifth sixth seventh eighth one both")

PLACES = _words(
    "top bottom left right middle centre corner side sides high low up down over under inside near next "
    "far back"
)

THINGS = _words(
    """
    sun moon star cloud tree bush flower mushroom mountain pond heart cat dog rabbit bear duck bird fish
    snail butterfly house tower tent bridge well shop mill gate ball balloon kite gift umbrella apple drum
    bell cup hat car boat snowman rocket robot castle burger ice cake wall roof door window chimney trunk
    crown apples body cabin wheels hull mast sail flag head scarf stem leaves petals nose fins flame arms
    legs antenna towers plate block plank arch cone cream candle cherry bun cheese salad scoop ring marker
    arrow arrows
    """
)

SETTINGS = _words("meadow beach snow night sunset paper sea table map")

ACTIONS = _words(
    """
    add begin begins brings build change changed close come comes did do done draw drawing end ends find
    finds flies follow go goes grows happens has have lay learn leaves look looks make makes move moves
    need needs paint put read rest runs see sees set show shows stands start stays stops take try turn
    walk walks want write
    """
)

REST = _words(
    """
    a after again all an and are as at away before big by can colours complete day each easy else every
    finally for friend from good happy here how in into is it its last layer layers lesson little name new
    not nothing now of on only other out own page part parts pencil pencils picture pictures place room
    same short small so some something soon spot step steps still story task that the them then there
    things this time to until was way we what when where whole wind with you your
    """
)

WORDS = COLORS | NUMBERS | PLACES | THINGS | SETTINGS | ACTIONS | REST
