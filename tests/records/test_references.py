# ruff: noqa: RUF001 - Cyrillic letters and wide punctuation are what texts have
"""References to images that are not there: each kind, what is none, and the law that no document has any
before it loses an image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import build, recipe

from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef, Text
from leafinstruct.records.text.references import dangling

I = None  # noqa: E741 - an image
SERIES = ["a short text", I, "a short text", I, "a short text", I]


def heading(text: str) -> Text:
    return Text(0, text, "heading")


def caption(text: str) -> Text:
    return Text(0, text, "caption")


@pytest.mark.parametrize(
    ("parts", "words", "kind", "at"),
    [
        # a number of all images
        (["A story in 6 pictures.", I, "x", I], "in 6 pictures", "count", 0),
        ([heading("A cat in five images"), I, "x", I], "in five images", "count", 0),
        (["A story in 2 pictures.", I, "x", I, "y", I], "in 2 pictures", "count", 0),
        (["Look at the cat.", I, "That was the story in four pictures."], "in four pictures", "count", 2),
        (["Follow the 5 pictures.", I, "x", I], "Follow the 5 pictures", "count", 0),
        (["Here are 4 photos of it.", I], "Here are 4 photos", "count", 0),
        (["In 6 pictures.", "no image at all"], "In 6 pictures", "count", 0),
        # at least so many
        (["x", I, "These three photos show the garden.", I], "These three photos", "count", 2),
        (["Look at both pictures again.", I], "both pictures", "count", 0),
        # steps
        (["It has 4 layers.", *SERIES], "has 4 layers", "count", 0),
        (["This way has 5 stops.", *SERIES], "has 5 stops", "count", 0),
        (
            ["Step 1 of 4: go", I, "Step 2 of 4: run", I, "Step 3 of 4: stop", "Step 4 of 4: rest"],
            "Step 1 of 4",
            "count",
            0,
        ),
        (["There are 4 layers. Look at the picture of each layer.", I], "are 4 layers", "count", 0),
        # directions
        (["See the picture below.", "the end"], "the picture below", "below", 0),
        (["Add a roof, as shown below.", "Then go on."], "shown below", "below", 0),
        (["x", "See the picture below.", heading("Next"), "text", I], "the picture below", "below", 1),
        (
            ["Wire it as shown below.", I, "Turn it as shown below.", "Press it as shown below.", I],
            "shown below",
            "below",
            2,
        ),
        (
            ["See the picture below.", "one", "then two more", "then three", I],
            "the picture below",
            "below",
            0,
        ),
        (["In the following figure you see it.", "the end"], "the following figure", "below", 0),
        (["A switch, pictured below.", "the end"], "pictured below", "below", 0),
        (["It should look like this:"], "like this:", "below", 0),
        (["It should look like this:", heading("Next"), "x", I], "like this:", "below", 0),
        (["x", "In the image above, the light is on.", I], "In the image above", "above", 1),
        (["A hut (pictured above).", I], "pictured above", "above", 0),
        (["The photo on the left shows it.", "x"], "The photo on the left", "below", 0),
        # figures
        (["See Figure 3.", I, I], "Figure 3", "number", 0),
        (["See Figure 3.", I, caption("Figure 1: a"), I, caption("Figure 2: b")], "Figure 3", "number", 0),
        (["See Fig. 2.", I, caption("Fig. 1: a"), I, caption("Fig. 3: b")], "Fig. 2", "number", 0),
        (["As shown here (see image 4).", I], "image 4", "number", 0),
        # other languages
        (["Eine Geschichte in 6 Bildern.", I], "in 6 Bildern", "count", 0),
        (["Das folgende Bild zeigt es.", "Ende"], "Das folgende Bild", "below", 0),
        (["Une histoire en 6 images.", I], "en 6 images", "count", 0),
        (["Voir l'image ci-dessous.", "fin"], "image ci-dessous", "below", 0),
        (["Una historia en cinco imágenes.", I], "en cinco imágenes", "count", 0),
        (["Mira la imagen de abajo.", "fin"], "imagen de abajo", "below", 0),
        (["Een verhaal in zes foto's.", I], "in zes foto's", "count", 0),
        (["Zie de onderstaande afbeelding.", "einde"], "onderstaande afbeelding", "below", 0),
        (["Uma história em 4 imagens.", I], "em 4 imagens", "count", 0),
        (["Veja a imagem abaixo.", "fim"], "imagem abaixo", "below", 0),
        (["Una storia in 4 immagini.", I], "in 4 immagini", "count", 0),
        (["Guarda la seguente immagine.", "fine"], "seguente immagine", "below", 0),
        (["История в 5 картинках.", I], "в 5 картинках", "count", 0),
        (["На рисунке ниже показан кот.", "конец"], "На рисунке ниже", "below", 0),
        (["这是6张图片的故事。", I], "6张图片", "count", 0),
        (["如下图所示，连接。", "结束"], "如下图", "below", 0),
        (["6枚の写真で説明します。", I], "6枚の写真", "count", 0),
        (["下の図のように接続します。", "終わり"], "下の図", "below", 0),
    ],
)
def test_a_reference_that_no_image_answers_is_named(parts, words, kind, at):
    found = dangling(parts)
    assert found, "nothing found"
    assert (found[0].words, found[0].kind, found[0].part) == (words, kind, at)


@pytest.mark.parametrize(
    "parts",
    [
        # what is answered
        ["A story in 2 pictures.", I, "x", I],
        ["Add a roof, as shown below.", I],
        [I, "The picture above shows it."],
        ["See the picture below.", "One sentence more.", I],
        ["Observe the following diagram.", "3V3", "5V", "GPIO 2", "GND"],
        ["x", I, "one", "two", "three", "The image above shows it."],
        [heading("A"), "See the picture below.", heading("B"), I],
        ["The photo on the left shows it.", I],
        ["See Figure 2.", I, I],
        ["See Figure 7.", I, caption("Figure 7: part of a book")],
        # another thing than an image
        ["See the code below.", "x = 1"],
        ["As the table above shows.", I],
        ["the commands shown below:", Text(1, "ls", "code")],
        ["Adjust the settings as shown below:", Text(1, "baud 9600", "table")],
        ["As shown below:", "let count = 0;"],
        ["The steps below are easy, see above.", I],
        ["It should look like this:", "a quote"],
        ["Write the text below the picture.", "x"],
        ["the picture below the title is nice", "x"],
        ["Figure 1-3 of the book", I],
        ["picture 5 people on a beach", I],
        # some images, a task, one image
        ["Two of the pictures are old.", I],
        ["Another 3 images show it.", I],
        ["2-3 pictures show it", I],
        ["In two or three pictures", I],
        ["the first 2 images show", I, "a", I, "b", I],
        ["These two photos show it", I, I, "a", I, "b", I],
        ["Take 3 pictures of your cat.", I],
        ["Everything in one picture.", I, I],
        # steps of a text that does not show each
        ["In 5 easy steps", I, "word " * 90, I, "word", I],
        ["In 5 easy steps", I],
        ["It has 2 layers", *SERIES],
    ],
)
def test_what_is_answered_or_no_reference_to_an_image_counts_nothing(parts):
    assert dangling(parts) == []


def test_an_image_that_the_text_owns_answers_in_both_directions():
    page = [ImageRef(0, None), Text(1, "Wire it as in the image below."), Text(2, "The end.")]  # type: ignore[arg-type]
    assert len(dangling(page)) == 1
    assert dangling([replace(page[0], owner=1), *page[1:]]) == []


def test_a_sentence_quotes_the_reference_and_names_what_is_there():
    assert str(dangling(["A story in 6 pictures.", I, "x", I])[0]) == '"in 6 pictures", but 2 images are left'
    assert str(dangling(["See the picture below.", "x"])[0]) == '"the picture below", but no image follows it'
    parts = ["See Fig. 2.", I, caption("Fig. 1: a"), I, caption("Fig. 3: b")]
    assert str(dangling(parts)[0]) == '"Fig. 2", but the captions have 1, 3'


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(max_size=60),
            st.sampled_from(["in 6 pictures", "as shown below", "Figure 3", "like this:"]),
        )
    )
)
def test_any_sequence_is_counted_and_every_hit_is_in_its_text(parts):
    for found in dangling(parts):
        assert found.words in parts[found.part]


STATED = re.compile(r"\b\d+ (?:small )?(?:pictures|steps|layers|parts|stops)\b|\bStep \d+ of \d+\b")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Several hundred generated documents without defects, every topic, layout and format, as the ordinary
    readers read them."""
    folder = tmp_path_factory.mktemp("generated")
    source = {"kind": "sketchbook", "documents": 600, "videos": 8, "seed": 5, "image_px": 32}
    build(recipe(folder, part_size=100, ingest={"sources": [source]}), until="ingest")
    return [
        page
        for path in sorted((folder / "runs/t/ingest").rglob("documents-*.parquet"))
        for page in table.documents(path)
    ]


def without(page: Document, *positions: int) -> Document:
    return replace(
        page, segments=tuple(segment for segment in page.segments if segment.position not in positions)
    )


def steps(page: Document) -> Iterator[tuple[int, list[int]]]:
    """Each image with the texts, other than headings, directly before and behind it."""
    for at, segment in enumerate(page.segments):
        if isinstance(segment, ImageRef):
            near = (page.segments[place] for place in (at - 1, at + 1) if 0 <= place < len(page.segments))
            yield (
                segment.position,
                [one.position for one in near if isinstance(one, Text) and one.kind != "heading"],
            )


def test_no_generated_document_has_a_dangling_reference(generated):
    assert {page.provenance.file.rpartition(".")[2] for page in generated} == {
        "jsonl",
        "html",
        "gz",
        "parquet",
        "mp4",
    }
    assert [(page.provenance, found) for page in generated for found in dangling(page.segments)] == []


@pytest.mark.parametrize("with_text", [False, True])
def test_a_generated_document_that_lost_an_image_has_one_where_its_text_states_a_number(generated, with_text):
    tried = 0
    for page in generated:
        for image, texts in steps(page):
            for lost in [[image, text] for text in texts] if with_text else [[image]]:
                rest = without(page, *lost)
                if any(STATED.search(text.text) for text in rest.texts):
                    tried += 1
                    assert dangling(rest.segments), (page.provenance, lost)
    assert tried > 1000


def test_no_real_page_has_a_dangling_reference(real: Path, tmp_path: Path):
    """All 90 real documents were read by a person: 31 references to images, each answered."""
    forms = [("mmc4", "mmc4"), ("html", "html"), ("warc", "web.warc.gz"), ("obelics", "obelics")]
    sources = [{"kind": kind, "name": kind, "path": str(real / path)} for kind, path in forms]
    build(
        recipe(
            tmp_path, part_size=50, ingest={"sources": sources}, filter={"alignment": {"allow_toy": True}}
        ),
        until="ingest",
    )
    pages = [
        page
        for path in (tmp_path / "runs/t/ingest").rglob("documents-*.parquet")
        for page in table.documents(path)
    ]
    assert len(pages) == 90
    assert [(page.provenance, found) for page in pages for found in dangling(page.segments)] == []
