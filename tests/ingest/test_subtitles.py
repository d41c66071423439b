"""Subtitles: each spoken word once, in order, with its time."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.ingest.config import Frames
from leafinstruct.ingest.video.cue import Cue
from leafinstruct.ingest.video.steps import Step, by_document, sentences
from leafinstruct.ingest.video.subtitles import cues


def read(
    folder: Path, text: str | bytes, name: str = "a.vtt"
) -> tuple[list[tuple[float, float, str]], list[str]]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found, lost = cues(path)
    return [(cue.start, cue.end, cue.text) for cue in found], [reason for reason, _ in lost]


def clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def vtt(*cue: tuple[int, int, str]) -> str:
    return (
        "WEBVTT\n\n"
        + "\n\n".join(
            f"{clock(start)} --> {clock(end)} align:start position:0%\n{text}" for start, end, text in cue
        )
        + "\n"
    )


def test_both_formats(tmp_path):
    assert read(tmp_path, vtt((0, 1400, "One."), (1400, 2600, "Two\nlines."))) == (
        [(0.0, 1.4, "One."), (1.4, 2.6, "Two lines.")],
        [],
    )
    srt = (
        "1\r\n00:00:00,000 --> 00:00:01,400\r\nOne.\r\n\r\n2\r\n00:00:01,400 --> "
        "00:00:02,600\r\nTwo\r\nlines.\r\n"
    )
    assert read(tmp_path, b"\xef\xbb\xbf" + srt.encode(), "a.srt") == (
        [(0.0, 1.4, "One."), (1.4, 2.6, "Two lines.")],
        [],
    )


def test_captions_that_roll_are_read_once(tmp_path):
    text = vtt(
        (0, 2000, " \nhello<00:00:00.500><c> big</c><00:00:01.000><c> world</c>"),
        (2000, 2010, "hello big world\n "),
        (2010, 4000, "hello big world\nand<00:00:02.500><c> good</c><c> morning</c>"),
        (4000, 4010, "and good morning\n "),
        (4010, 6000, "and good morning\nto<00:00:04.500><c> all</c>"),
    )
    assert read(tmp_path, text) == (
        [(0.0, 2.0, "hello big world"), (2.01, 4.0, "and good morning"), (4.01, 6.0, "to all")],
        [],
    )


WORDS = st.lists(
    st.lists(st.sampled_from(["one", "two", "three", "go", "stop", "no", "yes"]), min_size=1, max_size=5).map(
        " ".join
    ),
    min_size=4,
    max_size=12,
)


@given(WORDS)
def test_rolling_captions_give_back_exactly_what_was_said(tmp_path_factory, lines):
    rolling: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else " "
        rolling += [
            (number * 1000, number * 1000 + 990, f"{before}\n{line}"),
            (number * 1000 + 990, number * 1000 + 1000, f"{line}\n "),
        ]
    found, _ = read(tmp_path_factory.mktemp("roll"), vtt(*rolling))
    assert " ".join(text for _, _, text in found) == " ".join(lines)


@given(WORDS)
def test_captions_that_grow_word_by_word_give_back_exactly_what_was_said(tmp_path_factory, lines):
    # lines that are the same look like one that does not move
    lines = [f"{number} {line}" for number, line in enumerate(lines)]
    growing: list[tuple[int, int, str]] = []
    for before, line in zip(["", *lines], lines, strict=False):  # the full line moves up when the next begins
        words = line.split(" ")
        for count in range(1, len(words) + 1):
            start = 100 * len(growing)
            growing.append((start, start + 100, f"{before}\n{' '.join(words[:count])}"))
    found, lost = read(tmp_path_factory.mktemp("g"), vtt(*growing))
    assert " ".join(text for _, _, text in found) == " ".join(lines)
    assert lost == []


def test_who_repeats_himself_is_left_alone(tmp_path):
    found, _ = read(
        tmp_path,
        vtt(
            (0, 1000, "Stir."),
            (1000, 2000, "Stir."),
            (2000, 3000, "Wait."),
            (3000, 4000, "Serve."),
            (4000, 5000, "Enjoy."),
        ),
    )
    assert [text for _, _, text in found] == ["Stir.", "Stir.", "Wait.", "Serve.", "Enjoy."]


def test_overlaps_end_where_the_next_begins_and_order_is_that_of_time(tmp_path):
    found, _ = read(tmp_path, vtt((3000, 5000, "third"), (0, 2500, "first"), (2000, 4000, "second")))
    assert found == [(0.0, 2.0, "first"), (2.0, 3.0, "second"), (3.0, 5.0, "third")]


def test_two_who_speak_at_once_are_both_heard_and_what_is_said_twice_is_heard_once(tmp_path):
    assert read(tmp_path, vtt((0, 1000, "first one"), (0, 2000, "second"))) == (
        [(0.0, 2.0, "first one second")],
        [],
    )
    assert read(tmp_path, vtt((3000, 4000, "same"), (3000, 4500, "same"))) == ([(3.0, 4.5, "same")], [])


CUES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9), st.text("abcdefgh", min_size=1, max_size=6)),
    min_size=1,
    max_size=12,
)


@given(CUES)
def test_whatever_overlaps_every_word_is_kept_and_no_two_cues_do(tmp_path_factory, spoken):
    said = [
        (start * 1000, (start + length) * 1000, f"{word}{number}")
        for number, (start, length, word) in enumerate(spoken)
    ]
    found, _ = read(tmp_path_factory.mktemp("overlap"), vtt(*said))
    assert sorted(word for _, _, text in found for word in text.split()) == sorted(
        word for _, _, word in said
    )
    assert all(start < end for start, end, _ in found)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(found))


def test_the_identifier_of_a_cue_is_not_said(tmp_path):
    """Meeting software gives every cue an identifier."""
    text = (
        "WEBVTT\n\nintro\n00:00.000 --> 00:01.000\nWell.\n\n4f2a-9c/12-0\n00:01.000 --> 00:02.000\n<v "
        "Ann Lee>Take 2 eggs.</v>\n"
    )
    assert [said for _, _, said in read(tmp_path, text)[0]] == ["Well.", "Take 2 eggs."]


def test_lines_may_end_in_a_carriage_return_alone(tmp_path):
    srt = "1\r00:00:00,000 --> 00:00:01,000\rOne.\r\r2\r00:00:01,000 --> 00:00:02,000\rTwo.\r"
    assert [said for _, _, said in read(tmp_path, srt, "a.srt")[0]] == ["One.", "Two."]


def test_what_only_looks_like_markup_stays(tmp_path):
    text = vtt((0, 1000, "if a < b and c > d"), (1000, 2000, "write {x} here"), (2000, 3000, "I <3 it > all"))
    assert [said for _, _, said in read(tmp_path, text)[0]] == [
        "if a < b and c > d",
        "write {x} here",
        "I <3 it > all",
    ]


def test_markup_goes_and_entities_are_undone(tmp_path):
    text = vtt(
        (0, 1000, "<v Bob>Salt &amp; <i>pepper</i> &lt;3"),
        (1000, 2000, ">> Yes.\n- No."),
        (2000, 3000, "{\\an8}Up there"),
    )
    assert [said for _, _, said in read(tmp_path, text)[0]] == ["Salt & pepper <3", "Yes. No.", "Up there"]


def test_what_is_no_speech_has_its_reason(tmp_path):
    text = vtt(
        (0, 1000, "[Music]"),
        (1000, 2000, "♪ la la ♪"),
        (2000, 1500, "backwards"),
        (3000, 4000, " "),
        (4000, 5000, "(laughs) Well."),
    )
    found, lost = read(tmp_path, text)
    assert [said for _, _, said in found] == ["(laughs) Well."]
    assert sorted(lost) == ["empty_cue", "not_speech", "not_speech", "reversed_cue"]


def test_blocks_that_are_no_cues_are_passed_over(tmp_path):
    text = (
        "WEBVTT - title\nKind: captions\n\nNOTE\nnot said\n\nSTYLE\n::cue { color: red }\n\n1\n00:01.000 "
        "--> 00:02.000\nSaid.\n"
    )
    assert read(tmp_path, text)[0] == [(1.0, 2.0, "Said.")]


def test_comments_between_cues_are_not_said(tmp_path):
    said = "NOTE\nkept, since it is in a cue"
    text = vtt((0, 1000, "One."), (1000, 2000, "Two."), (2000, 3000, said)).replace(
        "Two.", "Two.\n\nNOTE of two\nlines\n\nREGION\nid:a"
    )
    assert [words for _, _, words in read(tmp_path, f"{text}\n\nNOTE the end")[0]] == [
        "One.",
        "Two.",
        " ".join(said.split()),
    ]
    assert read(tmp_path, text.replace("\n", "\r\n"))[0] == read(tmp_path, text)[0]


CHILD = """
import sys
from pathlib import Path
from leafinstruct.ingest.video.subtitles import cues
for file in sorted(Path(sys.argv[1]).iterdir()):
    print(*map(len, cues(file)))
"""


def test_no_text_takes_more_time_than_its_length_asks_for(tmp_path):
    """Two minutes for 300 kB of `<a <a <a` where the library looked for tags; a moment each where nobody
    looks twice."""
    odd = ("<a ", "{\\", "\n", "\n \n", "1\n", "NOTE\n\n", "[", "(a", ">>", "x\n\n", "< ", "</ ", "--> ")
    for number, text in enumerate(odd):
        (tmp_path / f"{number}.vtt").write_text(vtt((0, 1000, "x")) + text * 100_000 + "x")
    many = "".join(f"00:01.000 --> 00:02.000\n{number}.\n\n" for number in range(50_000))
    (tmp_path / "many.vtt").write_text(f"WEBVTT\n\n{many}")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=True, timeout=600
    )
    untimed = {number for number, text in enumerate(odd) if text in ("\n", "\n \n", "NOTE\n\n", "x\n\n")}
    assert done.stdout.splitlines() == [
        f"1 {int(name in untimed)}"
        for name in sorted((*range(len(odd)), "many"), key=lambda name: f"{name}.vtt")
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "1\n00:00:00,000 --> 00:00:01,000\nKäse und Brötchen für drei Personen, bitte schön.\n"
    assert (
        read(tmp_path, text.encode(encoding), "a.srt")[0][0][2]
        == "Käse und Brötchen für drei Personen, bitte schön."
    )


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x00" * 1000, b"<html></html>", b"WEBVTT\n\n" + b"00:00 --> " * 5000]
)
def test_a_file_that_is_no_subtitles_is_one_reason(tmp_path, data):
    assert read(tmp_path, data) == ([], ["bad_subtitles"])
    assert read(tmp_path, data, "a.srt") == ([], ["bad_subtitles"])


@given(st.binary(max_size=300))
def test_nothing_raises(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.vtt", "a.srt"):
        found, lost = read(folder, b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n" + data, name)
        assert found or lost


def test_cues_are_joined_to_sentences():
    said = [
        Cue(0, 1, "Take a"),
        Cue(1, 2, "pencil."),
        Cue(2, 3, "Draw"),
        Cue(3.5, 4, "a circle!"),
        Cue(9, 10, "Done"),
    ]
    assert [(step.start, step.end, step.text) for step in sentences(said)] == [
        (0, 2, "Take a pencil."),
        (2, 4, "Draw a circle!"),
        (9, 10, "Done"),
    ]


def test_a_pause_or_a_very_long_sentence_ends_a_step():
    said = [
        Cue(0, 1, "Well"),
        Cue(4, 5, "then."),
        *(Cue(5 + index, 6 + index, "and so on") for index in range(30)),
        Cue(35, 36, "end."),
    ]
    assert [step.start for step in sentences(said)] == [0, 4, 5, 25]


def test_without_any_full_stop_each_cue_is_a_step():
    assert len(sentences([Cue(0, 1, "a"), Cue(1, 2, "b"), Cue(2, 3, "c")])) == 3


def test_short_steps_are_merged_and_many_make_several_documents():
    steps = [Step(0, 1, ("a",)), Step(1, 4, ("b",)), Step(4, 8, ("c",)), Step(8, 8.5, ("d",))]
    assert [
        (locator, [(step.start, step.end, step.texts) for step in group])
        for locator, group in by_document(steps, Frames(min_seconds=2))
    ] == [("", [(0, 4, ("a", "b")), (4, 8.5, ("c", "d"))])]
    many = [Step(index, index + 1, (str(index),)) for index in range(7)]
    assert [
        (locator, len(group)) for locator, group in by_document(many, Frames(min_seconds=0, max_steps=3))
    ] == [("steps=1-3", 3), ("steps=4-6", 3), ("steps=7-7", 1)]


def test_a_short_step_is_not_merged_with_one_that_is_far_away():
    """A frame from the minutes between would show neither."""
    steps = [Step(0, 1, ("a",)), Step(300, 301, ("b",)), Step(305, 320, ("c",)), Step(500, 501, ("d",))]
    ((_, group),) = by_document(steps, Frames(min_seconds=2))
    assert [(step.start, step.end, step.texts) for step in group] == [
        (0, 1, ("a",)),
        (300, 320, ("b", "c")),
        (500, 501, ("d",)),
    ]


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=20), st.floats(0, 5), st.integers(1, 6))
def test_no_text_is_lost_and_no_step_is_too_short(lengths, shortest, most):
    steps, at = [], 0.0
    for index, length in enumerate(lengths):
        steps.append(Step(at, at + length, (str(index),)))
        at += length
    groups = [group for _, group in by_document(steps, Frames(min_seconds=shortest, max_steps=most))]
    merged = [step for group in groups for step in group]
    assert [text for step in merged for text in step.texts] == [str(index) for index in range(len(lengths))]
    assert all(step.end - step.start >= shortest - 1e-9 for step in merged) or len(merged) == 1
    assert all(len(group) <= most for group in groups)
