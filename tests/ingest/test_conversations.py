"""Conversations with `<image>` placeholders: every placeholder gets its image, in order over all turns, or
the record is lost with the reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import build, png, recipe, rows

from leafinstruct.errors import SourceError
from leafinstruct.ingest.config import ConversationsSource
from leafinstruct.ingest.fields.reference import LostError
from leafinstruct.ingest.readers import conversations
from leafinstruct.ingest.tables.columns.turns import segments_of
from leafinstruct.records import table
from leafinstruct.records.document import Document, ImageRef, Ref, Rejected, Text


def record(*turns: tuple[str, str], image: Any = ()) -> dict[str, Any]:
    return {
        "id": "1",
        "image": image if isinstance(image, str) else list(image),
        "task_name": "t",
        "conversations": [{"from": who, "value": text} for who, text in turns],
    }


def found(path: Path, **settings: Any) -> list[Document | Rejected]:
    source = ConversationsSource(name="c", path=str(path), **settings)
    cache = path.parent / "cache"
    return [
        item
        for span in conversations.plan(source, 3, cache)
        for item in conversations.read(source, span, cache)
    ]


def written(folder: Path, records: list[Any], name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(
        json.dumps(records) if name.endswith(".json") else "\n".join(map(json.dumps, records)),
        encoding="utf-8",
    )
    return path


def test_placeholders_are_filled_in_order_over_all_turns(tmp_path):
    one = record(
        ("human", "<image> What\nnext? "),
        ("gpt", "First<image>then <image>"),
        ("human", "Thanks"),
        image=["a.png", "sub/b.png", "http://x.org/c.png"],
    )
    (page,) = found(written(tmp_path, [one]))
    assert page.segments == (
        ImageRef(0, Ref(file="a.png"), role="user"),
        Text(1, "What\nnext?", role="user"),
        Text(2, "First", role="assistant"),
        ImageRef(3, Ref(file="sub/b.png"), role="assistant"),
        Text(4, "then", role="assistant"),
        ImageRef(5, Ref(url="http://x.org/c.png"), url="http://x.org/c.png", role="assistant"),
        Text(6, "Thanks", role="user"),
    )
    assert page.provenance.locator == "item=1"


@pytest.mark.parametrize("name", ["data.jsonl", "data.json"])
def test_lists_and_lines_give_the_same(tmp_path, name):
    records = [
        record(("human", f"q{number} <image>"), ("gpt", "a"), image=f"{number}.png") for number in range(7)
    ]
    pages = found(written(tmp_path, records, name))
    assert [page.images[0].ref.file for page in pages] == [f"{number}.png" for number in range(7)]
    unit = "item" if name.endswith(".json") else "line"
    assert [page.provenance.locator for page in pages] == [f"{unit}={number}" for number in range(1, 8)]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (record(("human", "<image><image>"), ("gpt", "a"), image=["a.png"]), "too_few_images"),
        (record(("human", "no placeholder"), ("gpt", "a"), image="a.png"), "too_many_images"),
        (record(("human", "q")), "no_answer"),
        (record(("stranger", "q"), ("gpt", "a")), "unknown_speaker"),
        (record(("human", "<image>"), ("gpt", "a"), image=["../../etc/passwd"]), "unsafe_path"),
        (record(("human", "<image>"), ("gpt", "a"), image=[7]), "bad_reference"),
        ({"conversations": "hello"}, "bad_turns"),
        ({"conversations": []}, "bad_turns"),
        ({"conversations": [3]}, "bad_turns"),
        ({"conversations": [{"from": "human", "value": None}]}, "bad_turns"),
        ({"image": {"a": 1}, "conversations": []}, "bad_images"),
        ({"id": 1}, "bad_turns"),
        ([1, 2], "not_an_object"),
        ("text", "not_an_object"),
        (record(*[("human", "a <image> b"), ("gpt", "c")] * 6_000), "too_many_pieces"),
    ],
)
def test_a_record_that_would_need_a_guess_is_lost_with_its_reason(tmp_path, made, reason):
    good = record(("human", "q"), ("gpt", "a"))
    items = found(written(tmp_path, [good, made, good]))
    assert [item.reason if isinstance(item, Rejected) else "kept" for item in items] == [
        "kept",
        reason,
        "kept",
    ]


WORDS = st.text("abc <>image\n", max_size=12).filter(lambda text: "<image>" not in text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["human", "gpt"]), st.lists(st.one_of(st.just("<image>"), WORDS), max_size=5)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_texts_and_placeholders_come_back_in_order(turns):
    messages = [{"from": who, "value": "".join(pieces)} for who, pieces in turns]
    placeholders = sum(turn["value"].count("<image>") for turn in messages)
    images = [ImageRef(0, Ref(file=f"{number}.png")) for number in range(placeholders)]
    if not any("".join(turn["value"].split()) for turn in messages if turn["from"] == "gpt"):
        with pytest.raises(LostError, match="no_answer"):
            segments_of(messages, images, lambda name: ImageRef(0, Ref(file=name)))
        return
    segments = segments_of(messages, images, lambda name: ImageRef(0, Ref(file=name)))
    again: list[tuple[str, str]] = [
        (item.role, "<image>" if isinstance(item, ImageRef) else item.text) for item in segments
    ]
    for role, who in (("user", "human"), ("assistant", "gpt")):
        mine = "".join(text for speaker, text in again if speaker == role)
        assert "".join(mine.split()) == "".join(
            "".join(turn["value"] for turn in messages if turn["from"] == who).split()
        )
    assert [item.ref.file for item in segments if isinstance(item, ImageRef)] == [
        f"{number}.png" for number in range(placeholders)
    ]


def test_chat_messages_are_read_too(tmp_path):
    made = {
        "images": ["a.png"],
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "q"}]},
            {"role": "assistant", "content": "a"},
        ],
    }
    (page,) = found(written(tmp_path, [made]))
    assert [type(item).__name__ for item in page.segments] == ["ImageRef", "Text", "Text"]


ANSWER = {"from": "gpt", "value": "a"}


@pytest.mark.parametrize(
    "made",
    [
        {"image": "a.png", "conversations": [{"from": "human", "value": "<image>\nq"}, ANSWER]},
        {
            "image": None,
            "images": ["a.png"],
            "conversations": None,
            "messages": [{"role": "user", "content": "<image>q"}, ANSWER],
        },
        {"images": [{"path": "a.png"}], "conversation": [{"role": "user", "content": "<image> q"}, ANSWER]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "q"}],
                },
                ANSWER,
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "image": {"path": "a.png"}}, {"type": "text", "text": "q"}],
                },
                ANSWER,
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "a.png"}},
                        {"type": "text", "text": "q"},
                    ],
                },
                ANSWER,
            ]
        },
    ],
    ids=["LLaVA", "nulls", "Mantis", "Qwen", "path", "OpenAI"],
)
def test_the_spellings_in_use_mean_the_same(tmp_path, made):
    (page,) = found(written(tmp_path, [made]))
    assert page.segments == (
        ImageRef(0, Ref(file="a.png"), role="user"),
        Text(1, "q", role="user"),
        Text(2, "a", role="assistant"),
    )


@pytest.mark.parametrize("image", [None, "", []])
def test_a_record_may_have_no_image(tmp_path, image):
    (page,) = found(
        written(tmp_path, [{"image": image, "conversations": [{"from": "human", "value": "q"}, ANSWER]}])
    )
    assert not page.images


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"type": "image", "image": 7}, "bad_reference"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "data_uri"),
        ({"type": "image", "image": "../a.png"}, "unsafe_path"),
        ({"type": "image"}, "too_few_images"),
        ({"type": "video"}, "bad_turns"),
    ],
)
def test_a_part_whose_image_cannot_be_had_loses_the_record(tmp_path, part, reason):
    made = {"messages": [{"role": "user", "content": [part]}, ANSWER]}
    assert [item.reason for item in found(written(tmp_path, [made])) if isinstance(item, Rejected)] == [
        reason
    ]


def test_a_record_states_its_license_and_address(tmp_path):
    messages = [{"from": "human", "value": "<image>"}, ANSWER]
    stated = {
        "image": "a.png",
        "conversations": messages,
        "license": "https://creativecommons.org/licenses/by-sa/4.0/",
        "url": "http://a.org/",
    }
    own, given = found(written(tmp_path, [stated, {**stated, "license": " ", "url": 7}]), license="CC0-1.0")
    assert (own.license, own.images[0].license, own.url) == ("CC-BY-SA-4.0", "CC-BY-SA-4.0", "http://a.org/")
    assert (given.license, given.images[0].license, given.url) == ("CC0-1.0", "CC0-1.0", None)


def test_a_part_keeps_its_indentation_and_placeholders_in_it_are_words(tmp_path):
    content = [{"type": "text", "text": "    draw()\n  <image>  "}, {"type": "text", "text": " \n "}]
    (page,) = found(written(tmp_path, [{"messages": [{"role": "user", "content": content}, ANSWER]}]))
    assert [text.text for text in page.texts] == ["    draw()\n  <image>", "a"]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("1. Mix:\n<image>\n   Stir.\n2. Bake.", ["1. Mix:", "   Stir.\n2. Bake."]),
        ("1. Mix:\n\n<image>\n\n   - flour\n   - milk", ["1. Mix:", "   - flour\n   - milk"]),
        ("   - milk\n<image>", ["   - milk"]),
        ("1. Mix: \t<image> \u3000Stir.", ["1. Mix:", "Stir."]),
        ("<image> \n   Stir. \n<image>", ["   Stir."]),
    ],
)
def test_the_continuation_of_a_list_keeps_its_indentation_beside_a_placeholder(tmp_path, value, texts):
    """An export writes an image inside a list on a line of its own; without the indentation, the text behind
    it leaves the list item."""
    images = ["a.png"] * value.count("<image>")
    (page,) = found(
        written(
            tmp_path,
            [
                {
                    "image": images,
                    "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": value}],
                }
            ],
        )
    )
    assert [text.text for text in page.texts[1:]] == texts


GOOD = '{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}'


@pytest.mark.parametrize(
    ("rest", "reason"),
    [(', {"conv', "truncated"), (", " + "[" * 100_000, "truncated"), ("}", "damaged"), ("]\n[]", "damaged")],
)
def test_a_list_that_breaks_off_keeps_what_was_whole(tmp_path, rest, reason):
    path = tmp_path / "data.json"
    path.write_text(f"[{GOOD}, {GOOD}{rest}")
    items = found(path)
    assert isinstance(items[0], Document)
    assert [item.reason for item in items if isinstance(item, Rejected)] == [reason]


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"nonsense", "broken_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "broken_json"),
        (b"[" * 200_000 + b"]" * 200_000, "broken_json"),  # Python 3.13 reads 5,000
        (b'{"a": "\xff"}', "not_utf8"),
        (b'{"a": NaN, "b": 1e999}', "bad_turns"),
        (b'{"leafinstruct.damage": 5}', "bad_turns"),
        (b'["truncated", "a lie"]', "not_an_object"),
    ],
)
def test_a_broken_record_costs_itself_alone_in_a_list_as_in_lines(tmp_path, name, record, reason):
    path = tmp_path / name
    pieces = [GOOD.encode(), record, GOOD.encode()]
    path.write_bytes(b"[" + b",".join(pieces) + b"]" if name == "data.json" else b"\n".join(pieces))
    assert [item.reason if isinstance(item, Rejected) else "kept" for item in found(path)] == [
        "kept",
        reason,
        "kept",
    ]


def test_numbers_that_json_does_not_know_and_a_byte_order_mark_lose_nothing(tmp_path):
    path = tmp_path / "data.json"
    path.write_bytes(
        b"\xef\xbb\xbf[" + GOOD.replace("{", '{"score": NaN, "max": -Infinity, ', 1).encode() + b"]"
    )
    (page,) = found(path)
    assert [text.text for text in page.texts] == ["q", "a"]


@pytest.mark.parametrize("made", [{"a": 1}, {"data": [record(("human", "q"), ("gpt", "a"))]}, []])
def test_a_file_without_a_list_names_the_hint(tmp_path, made):
    with pytest.raises(SourceError, match="must be one list"):
        found(written(tmp_path, made))


def test_a_zipped_jsonl_and_images_elsewhere(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "shots").mkdir()
    path = tmp_path / "data" / "a.jsonl.gz"
    path.write_bytes(
        gzip.compress(json.dumps(record(("human", "<image>"), ("gpt", "a"), image="x/a.png")).encode())
    )
    (page,) = found(path, images=str(tmp_path / "shots"))
    assert page.images[0].ref.file == "shots/x/a.png"


def test_conversations_pass_a_build_unchanged_beside_pages_that_are_rewritten(tmp_path):
    for index in range(4):
        (tmp_path / f"{index}.png").write_bytes(png(dot=index * 9))
    messages = [
        ("human", "Look at <image> and tell me what is on this sheet of paper"),
        ("gpt", "<image> A blue bar, and on the next <image> as well"),
        ("human", "Thanks a lot"),
    ]
    written(tmp_path, [record(*messages, image=["0.png", "1.png", "2.png"])])
    steps = (
        "<p>Take a sharp pencil and a clean sheet of paper.</p><img src='3.png'><p>Draw one round circle "
        "in the middle of it.</p>"
    )
    html = f"<html><body><article><h1>How to draw</h1>{steps}</article></body></html>"
    (tmp_path / "page.html").write_text(html)
    path = recipe(
        tmp_path,
        ingest={
            "sources": [
                {"kind": "conversations", "name": "talk", "path": "data.json"},
                {"kind": "html", "name": "pages", "path": "page.html"},
            ]
        },
        filter={"min_words": 5, "alignment": {"allow_toy": True}, "judge": {"enabled": False}},
    )
    build(path)
    published = {row["source"]: row for row in rows(tmp_path / "runs" / "t" / "shard")}
    assert published["talk"]["task"] == "conversation"
    assert [
        (turn["role"], [part["text"] or part["type"] for part in turn["content"]])
        for turn in published["talk"]["messages"]
    ] == [
        ("user", ["Look at", "image", "and tell me what is on this sheet of paper"]),
        ("assistant", ["image", "A blue bar, and on the next", "image", "as well"]),
        ("user", ["Thanks a lot"]),
    ]
    assert [item["bytes"] for item in published["talk"]["images"]] == [
        png(dot=index * 9) for index in range(3)
    ]
    assert published["pages"]["task"] != "conversation"


def test_a_conversation_that_lost_an_image_is_dropped_and_not_published_with_a_hole(tmp_path):
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(png(dot=index * 9))
    (tmp_path / "broken.png").write_bytes(b"no image")
    whole = record(
        ("human", "What do you see here <image> then?"),
        ("gpt", "A blue bar on red paper <image>"),
        image=["0.png", "1.png"],
    )
    answer = record(
        ("human", "Move the bar on this sheet of paper <image>"),
        ("gpt", "<image>"),
        image=["2.png", "broken.png"],
    )
    question = record(
        ("human", "<image>"),
        ("gpt", "A bar, and here it is again <image> further right"),
        image=["broken.png", "2.png"],
    )
    written(tmp_path, [answer, whole, question])
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "conversations", "name": "talk", "path": "data.json"}]},
        filter={
            "min_words": 3,
            "min_images": 1,
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
        },
    )
    build(path)
    run = tmp_path / "runs" / "t"
    assert [row["provenance"]["locator"] for row in rows(run / "shard")] == ["item=2"]
    (report,) = [json.loads(file.read_text()) for file in (run / "rewrite").rglob("report-*.json")]
    assert report["reasons"] == {"image_dropped": 2}
    (dropped,) = (run / "rewrite").rglob("dropped-*.parquet")
    assert [row["drops"][0]["detail"].partition(",")[0] for row in table.read(dropped)] == [
        "its image at 2 was dropped by image.decoded",
        "its image at 0 was dropped by image.decoded",
    ]


def test_rules_over_the_text_judge_conversations_as_they_judge_pages(tmp_path):
    (tmp_path / "0.png").write_bytes(png())
    talks = [
        record(("human", question), ("gpt", "A bar on paper <image>"), image=["0.png"])
        for question in ("Short", "What is on this sheet of paper?")
    ]
    written(tmp_path, talks)
    path = recipe(
        tmp_path,
        ingest={"sources": [{"kind": "conversations", "name": "talk", "path": "data.json"}]},
        filter={
            "min_words": 8,
            "min_images": 1,
            "alignment": {"allow_toy": True},
            "judge": {"enabled": False},
        },
        rewrite={"mode": "keep"},
    )
    build(path)
    assert [row["provenance"]["locator"] for row in rows(tmp_path / "runs" / "t" / "shard")] == ["item=2"]
    (dropped,) = (tmp_path / "runs" / "t" / "filter").rglob("dropped-*.parquet")
    assert [(row["provenance"]["locator"], row["drops"][0]["rule"]) for row in table.read(dropped)] == [
        ("item=1", "min_words")
    ]
