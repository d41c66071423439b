"""Lines with a digest: no changed byte gives another value, and damage costs its own line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafinstruct.runtime import sealed

ENTRIES = [{"key": f"{number:064x}", "text": f"answer {number}"} for number in range(4)]


def entries(path):
    return [
        sealed.opened(line) for _, line in sealed.lines(path) if line is not None and sealed.is_intact(line)
    ]


@settings(max_examples=300)
@given(st.data())
def test_a_flipped_bit_makes_an_entry_missing_and_never_another(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flip") / "a.jsonl"
    whole = bytearray(b"".join(map(sealed.seal, ENTRIES)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    size, times = len(whole), path.stat().st_mtime_ns
    dropped = sealed.mend(path)
    left = entries(path)
    assert all(entry in ENTRIES for entry in left)
    # the end of the last line: what is left looks like the half line of a killed writer
    last = at == len(whole) - 1
    assert len(left) >= (3 if last else 2)
    assert dropped >= (0 if last else 1)
    assert list(sealed.drop(path, "repair")) == []
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (size, times), (
        "offsets and the order of files stay"
    )


def test_damage_is_listed_once_and_dropped(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [sealed.seal(entry) for entry in ENTRIES]
    path.write_bytes(lines[0] + lines[1].replace(b"answer 1", b"answer 7") + lines[2] + lines[3][:40])
    (found,) = sealed.drop(path, "ask again")
    assert found.file == path
    assert found.fault == f"the line at byte {len(lines[0])} does not have the digest that was recorded"
    assert found.repair == "dropped; ask again"
    assert sealed.mend(path) == 0
    assert list(sealed.drop(path, "")) == []
    assert entries(path) == [ENTRIES[0], ENTRIES[2]]
    assert path.read_bytes().endswith(lines[3][:40]), "what another process is writing is left alone"


def test_a_value_under_the_key_of_another_is_none(tmp_path):
    one, two = map(sealed.seal, ENTRIES[:2])
    assert sealed.opened(one.replace(ENTRIES[0]["key"].encode(), ENTRIES[1]["key"].encode())) is None
    assert sealed.opened(one[:-78] + two[-78:]) is None


def test_a_file_without_digests_gets_them_and_keeps_its_entries(tmp_path):
    path = tmp_path / "answers-17-abcd.jsonl"
    path.write_bytes(
        b"".join(json.dumps(entry).encode() + b"\n" for entry in ENTRIES[:3]) + b"{broken\n" + b'{"half'
    )
    times = path.stat().st_mtime_ns
    assert sealed.mend(path) == 1
    assert entries(path) == ENTRIES[:3]
    assert path.stat().st_mtime_ns == times
    assert sealed.mend(path) == 0
    path.write_bytes(path.read_bytes().replace(b"answer 1", b"answer 2"))
    assert sealed.mend(path) == 1
    assert entries(path) == [ENTRIES[0], ENTRIES[2]]


def test_an_unsealed_line_among_sealed_ones_is_damage(tmp_path):
    path = tmp_path / "a.jsonl"
    whole = sealed.seal(ENTRIES[0]) + json.dumps(ENTRIES[1]).encode() + b"\n"
    path.write_bytes(whole)
    assert len(list(sealed.drop(path, ""))) == 1
    assert entries(path) == [ENTRIES[0]]
    path.write_bytes(whole)
    assert sealed.mend(path) == 1
    assert entries(path) == [ENTRIES[0]]


def test_a_line_longer_than_memory_is_damage_and_is_never_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sealed, "LONGEST", 200)
    path = tmp_path / "a.jsonl"
    lines = [sealed.seal(entry) for entry in ENTRIES[:2]]
    assert all(len(line) < 200 for line in lines) or pytest.fail("the lines of this test are short")
    path.write_bytes(lines[0] + b"x" * 5_000 + b"\n" + lines[1])
    assert [None if line is None else len(line) for _, line in sealed.lines(path)] == [
        len(lines[0]),
        None,
        len(lines[1]),
    ]
    whole = path.read_bytes()
    assert [damage.fault for damage in sealed.drop(path, "")] == [
        f"the line at byte {len(lines[0])} is longer than 200 bytes"
    ]
    assert entries(path) == ENTRIES[:2]
    path.write_bytes(whole)
    assert sealed.mend(path) == 1
    assert entries(path) == ENTRIES[:2]


def test_what_is_no_file_is_one_line(tmp_path):
    (found,) = sealed.drop(tmp_path, "")
    assert (found.fault, found.repair) == ("is not a regular file", "delete it")


@pytest.mark.parametrize("before", [b"", sealed.seal(ENTRIES[0]), sealed.seal(ENTRIES[0])[:20]])
def test_zeros_at_the_end_are_damage_and_half_a_line_is_none(tmp_path, before):
    """What a power cut may leave; half a line is what a kill leaves, or another process is writing now."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(before + bytes(300))
    (found,) = sealed.drop(path, "")
    assert "does not have the digest" in found.fault
    assert list(sealed.drop(path, "")) == []
    path.write_bytes(before + bytes(300))
    assert sealed.mend(path) == 1
    with path.open("ab") as file:  # a writer that begins behind it
        file.write(sealed.seal(ENTRIES[1]))
    assert entries(path)[-1] == ENTRIES[1]
    path.write_bytes(sealed.seal(ENTRIES[0]) + sealed.seal(ENTRIES[1])[:20])
    assert list(sealed.drop(path, "")) == []
    assert sealed.mend(path) == 0
