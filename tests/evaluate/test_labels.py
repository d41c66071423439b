"""The file of labels: what is read back, and what each faulty line says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.errors import RecipeError, SourceError
from leafinstruct.evaluate import labels
from leafinstruct.evaluate.labels import Label

GOOD = {"id": "a1", "subject": "document", "aspect": "keep", "value": "keep", "annotator": "ann"}

_texts = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12)
_labels = st.builds(
    Label,
    _texts,
    st.sampled_from(["document", "image:0", "image:12", "text:3"]),
    st.sampled_from(["text_quality", "fun"]),
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    _texts,
)


def put(name: str, *lines: object) -> Path:
    path = Path(name)
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@given(st.lists(_labels, unique_by=lambda label: (label.question, label.annotator)))
def test_what_is_written_is_read_back(tmp_path_factory, given_labels):
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    labels.write(path, given_labels)
    found = labels.read(path)
    assert found == given_labels
    assert [type(label.value) for label in found] == [type(label.value) for label in given_labels]


def test_subjects_name_a_segment_of_the_document():
    image, whole = Label("a", "image:3", "keep", "drop", "ann"), Label("a", "document", "keep", "keep", "ann")
    assert (image.kind, image.position) == ("image", 3)
    assert (whole.kind, whole.position) == ("document", None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("keep", "not JSON"),
        ("[]", "not an object"),
        ("[" * 100_000, "recursion"),
        (GOOD | {"anotator": "ann"}, "unknown key 'anotator'; did you mean 'annotator'?"),
        ({name: value for name, value in GOOD.items() if name != "value"}, "no 'value'; write {"),
        ('{"id": "a", "id": "b"}', "the key 'id' is repeated"),
        (GOOD | {"id": 7}, "id must be a text without line breaks and outer spaces, not 7"),
        (GOOD | {"annotator": " "}, "annotator must be a text"),
        (GOOD | {"subject": "image"}, 'such as image:3, not "image"'),
        (GOOD | {"subject": "image:-1"}, "such as image:3"),
        (GOOD | {"subject": "document:1"}, "such as image:3"),
        (GOOD | {"aspect": "Text quality"}, "aspect must be one word"),
        (GOOD | {"value": True}, 'value of the aspect keep must be "keep" or "drop", not true'),
        (GOOD | {"aspect": "fun", "value": None}, "value must be true, false, a number or a text, not null"),
        ('{"id": "a", "subject": "document", "aspect": "fun", "value": NaN, "annotator": "b"}', "finite"),
    ],
)
def test_a_faulty_line_is_one_error_with_its_place(line, reason):
    with pytest.raises(SourceError) as error:
        labels.read(put("labels.jsonl", GOOD, "", line))
    message = str(error.value)
    assert message.startswith("labels.jsonl, line 3: ")
    assert reason in message
    assert "\n" not in message


def test_a_missing_file_and_one_that_is_no_text_are_errors():
    with pytest.raises(SourceError, match=r"gone\.jsonl: no such file of labels"):
        labels.read(Path("gone.jsonl"))
    Path("bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="save it as UTF-8"):
        labels.read(Path("bytes.jsonl"))


def test_two_answers_of_one_annotator_name_both_lines_and_equal_ones_count_once():
    first, second = put("a.jsonl", GOOD, GOOD), put("b.jsonl", GOOD | {"annotator": "ben", "value": "drop"})
    found = labels.read(first, second)
    assert [label.annotator for label in found] == ["ann", "ben"]
    assert labels.by_question(found) == {("a1", "document", "keep"): {"ann": "keep", "ben": "drop"}}
    with pytest.raises(SourceError, match=r'b\.jsonl, line 1: ann .* "drop", but a\.jsonl, line 1 as "keep"'):
        labels.read(first, put("b.jsonl", GOOD | {"value": "drop"}))


@pytest.mark.parametrize(("one", "other", "equal"), [(4, 4.0, True), (1, True, False), ("4", 4, False)])
def test_equal_answers(one, other, equal):
    path = put("a.jsonl", *(GOOD | {"aspect": "fun", "value": value} for value in (one, other)))
    if equal:
        assert len(labels.read(path)) == 1
    else:
        with pytest.raises(SourceError, match="line 2"):
            labels.read(path)


def test_a_label_that_cannot_be_read_is_not_written():
    with pytest.raises(ValueError, match="value of the aspect keep"):
        labels.write(Path("labels.jsonl"), [Label("a", "document", "keep", "yes", "ann")])
    assert not Path("labels.jsonl").exists()
