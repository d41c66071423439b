"""What kind of text a document is, and whether a passage asks for a change."""

from __future__ import annotations

import pytest
from making import document

from leafinstruct.records.text.genre import genre_of
from leafinstruct.rewrite.edits import request_of


@pytest.mark.parametrize(
    ("title", "texts", "genre"),
    [
        (
            "10 Best Beaches of Australia",
            ["1. Bondi Beach", "It is the best known one.", "2. Whitehaven", "Its sand is white."],
            "report",
        ),
        ("Mark Twain House", ["The house stands in Hartford.", "It has 25 rooms."], "report"),
        ("Press freedom in decline", ["Journalists are under pressure.", "Sixty were killed."], "report"),
        (
            "A recipe for disaster",
            ["The bridge failed for want of a bolt.", "It was built in 1931."],
            "report",
        ),
        (
            "Council decides on bridge",
            ["The council debated how to pay for the bridge.", "It will cost four million."],
            "report",
        ),
        (
            "How do whales sleep",
            ["Whales sleep with half of their brain.", "They float at the surface."],
            "report",
        ),
        ("Camera comparison", ["We tested four cameras.", "We found that all were good."], "report"),
        ("Mayor resigns", ["She said that she was tired.", "He said that it was a pity."], "report"),
        ("A Lesson in Patience", ["Once upon a time there was a snail.", "It crept."], "story"),
        (
            "My first boat",
            ["I learned how to sail when I was ten.", "I fell into the water.", "We rode home."],
            "story",
        ),
        ("Draw a house", ["Start with a square.", "Then a roof."], "how_to"),
        ("Bake bread", ["Mix flour and water.", "Bake it."], "how_to"),
        ("Radios", ["This page describes how to set up a radio.", "It has an antenna."], "how_to"),
        ("Sauce", ["1. Die Zwiebeln schneiden.", "2. Alles kochen."], "how_to"),
    ],
)
def test_reports_and_stories_that_look_like_guides_are_none(title, texts, genre):
    assert (
        genre_of(
            document(f"# {title}", *(part for at, text in enumerate(texts) for part in (text, f"!{at}")))
        )
        == genre
    )


@pytest.mark.parametrize(
    ("passage", "request_"),
    [
        ("Now make the roof blue.", "Make the roof blue."),
        ("Step 2: add a chimney on the left.", "Add a chimney on the left."),
        ("After: the roof is blue now.", "Change the image so that this is true: the roof is blue now."),
        ("Could you make the roof blue?", "Make the roof blue."),
        ("Add red flowers to the window.", "Add red flowers to the window."),
        ("Brighten everything.", "Brighten everything."),
        ("The garden in May.", None),
        ("Place of birth: Munich, 1931.", None),
        ("Color photographs were rare.", None),
        ("Change is hard.", None),
        ("Make sure that the paint is dry.", None),
        ("Make the most of your day.", None),
        ("Move on to the next image.", None),
        ("Turn left at the lights.", None),
        ("Give it a try and tell us.", None),
        ("Fill in the form below.", None),
        ("Add to cart", None),
        ("Delete your account at any time.", None),
        ("If you find a mistake in this recipe, please open an issue.", None),
        ("Steam them for three minutes and pour hot oil over them.", None),
        ("Turn it. " * 25, None),
    ],
)
def test_an_edit_wants_one_short_passage_that_asks_for_a_change(passage, request_):
    page = document("# Before and after", "A red house.", "!a", passage.strip(), "!b", "That is all.")
    page = (
        document("# Before and after", "Here is an image of a house:", "!a", passage.strip(), "!b")
        if request_
        else page
    )
    assert request_of(page, "Change the image so that this is true: {result}") == request_
