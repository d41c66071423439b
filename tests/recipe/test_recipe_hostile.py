"""Files and values of settings that are wrong without looking wrong, or that are made to hurt: one short
line, exit code 1, little time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import leaf

from leafinstruct.errors import LeafInstructError, RecipeError
from leafinstruct.recipe import load as recipes
from leafinstruct.records import removals as suppressed
from leafinstruct.runtime.settings_text import yaml_in

BASE = "name: t\ningest: {sources: [{kind: sketchbook, documents: 10, seed: 1}]}\n"
SHORT = 1_000
"""Characters of a line, at most."""


def fault(tmp_path: Path, text: str | bytes, *changes: str) -> str:
    """The one line that loading gives, path cut away; within seconds of this process, and within its
    size."""
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    began = time.process_time()
    with pytest.raises(RecipeError) as caught:
        recipes.load(path, changes)
    assert time.process_time() - began < 4
    (line,) = str(caught.value).splitlines()
    assert len(line) <= SHORT
    return line.replace(str(path), "recipe.yaml")


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (
            "filter: {min_words: 3}\nfilter: {}",
            "line 4, column 1: the key filter is repeated, first in line 3; keep one of them",
        ),
        (
            "filter:\n  rules: []\n  min_words: 3\n  rules: []",
            "line 6, column 3: the key rules is repeated, first in line 4",
        ),
        ("filter: {alignment: {model: a, model: b}}", "line 3, column 32: the key model is repeated"),
        (
            "filter: {rules: [{score: text.links, max: 1, max: 2}]}",
            "line 3, column 46: the key max is repeated",
        ),
        ('filter: {"min_words": 3, min_words: 4}', "line 3, column 26: the key min_words is repeated"),
        (
            "filter:\n  <<: {min_words: 3}\n  min_words: 4",
            "line 4, column 3: a merge key (<<) is not accepted here; write the keys again",
        ),
        (
            "part_size: &a 3\nseed: *a",
            "line 4, column 7: not YAML: an alias (*name) is not accepted here; write the text again",
        ),
        ("seed: 0x_", "line 3, column 7: 0x_ is a number without digits in YAML; write it in quotes"),
        ("seed: -0b__", "line 3, column 7: -0b__ is a number without digits in YAML"),
        (
            'version: "\\UFFFFFFFF"',
            "line 3, column 13: not YAML: a number here is too large (of \\U or of %YAML)",
        ),
        (
            'version: "\\U00110000"',
            "line 3, column 13: not YAML: a number here is too large (of \\U or of %YAML)",
        ),
        ("1: 2", "line 3, column 1: the key 1 is no text in YAML; write it in quotes"),
        ("filter: {no: 2}", "line 3, column 10: the key no is no text in YAML; write it in quotes"),
        ("? [a, b]\n: 2", "line 3, column 3: a key is a word, not a list or a mapping"),
        ("---\nname: u", "line 3, column 1: there is a second document (---); a file may have only one"),
        (
            "version: !!python/name:os.system",
            "line 3, column 10: a tag (tag:yaml.org,2002:python/name:os.system) is not accepted here",
        ),
        (
            "version: !!binary aGk=",
            "line 3, column 10: a tag (tag:yaml.org,2002:binary) is not accepted here; write the plain value",
        ),
        ("version: !mine x", "line 3, column 10: a tag (!mine) is not accepted here; write the plain value"),
        ("version: 2024-01-01", "line 3, column 10: 2024-01-01 is a date in YAML; write it in quotes"),
        (
            "filter:\n\tmin_words: 2",
            "line 4, column 1: not YAML: found character '\\t' that cannot start any token; indent with "
            "spaces",
        ),
        ("version: '\0'", "line 3: not YAML: character U+0000 is not allowed; remove it"),
        (
            'version: "a\\0"',
            "line 3, column 10: a text has \\0 or half of a character (\\ud800), which no file can contain",
        ),
        ('version: "\\ud800"', "line 3, column 10: a text has \\0 or half of a character (\\ud800)"),
        (
            "seed: 010",
            "line 3, column 7: 010 is an octal number in YAML; write it in quotes, or without its "
            "leading zero",
        ),
        (
            "version: 1:30",
            "line 3, column 10: 1:30 is a number to the base 60 in YAML; write it in quotes, or the "
            "number of seconds",
        ),
        ("version: 1e3", "version: input should be a valid string, not 1000.0; write it in quotes"),
        ("version: off", "version: input should be a valid string, not False; write it in quotes"),
        ("part_size: yes", "part_size: a number is needed, not true"),
        (
            "filter: {rules: [{score: text.links, max: on}]}",
            "filter.rules[0].max: a number is needed, not true",
        ),
        (
            "filter: {rules: [{score: text.links, max: .nan}]}",
            "line 3, column 43: nan compares with nothing; write a number",
        ),
        (
            f"workdir: {'x' * 300}",
            "... xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: a path has at most 4000 bytes, 255 between two slashes",
        ),
        ("workdir: ~nobody-is-called-so/x", "workdir: ~nobody-is-called-so/x: there is no such user"),
        (f"name2: {'9' * 1_000_000}", "larger than 256 KB; is it the right file?"),
        (f"seed: {'9' * 200_000}", "99999999999 is a number of 200,000 characters; the maximum is 40"),
        (f"seed: 0x{'f' * 200_000}", "fffffffffff is a number of 200,002 characters; the maximum is 40"),
        (
            f"filter: {'[' * 200_000}",
            "line 3, column 40: nested too deeply; a few levels of lists and mappings are enough",
        ),
        (f"filter: {'{a: ' * 60_000}", "nested too deeply"),
        (f"filter: {'- ' * 100_000}", "line 3"),
        (
            "\n".join(f"k{number}: 1" for number in range(15_000)),
            "more than 20,000 values; is it the right file?",
        ),
        (
            f"part_size: {'x' * 200_000}",
            "part_size: input should be a valid integer, unable to parse string as an integer, not 'xxx",
        ),
        (
            f"filter: {{rules: [{{score: {'x' * 200_000}, max: 1}}]}}",
            "filter.rules[0].score: unknown score 'xxx",
        ),
        (
            f"rewrite: {{tasks: [{{name: a, ask: ['{'{x}' * 60_000}']}}]}}",
            "rewrite.tasks[0].ask: the question '{x}",
        ),
        (f"? {'x' * 200_000}\n: 1", "xxx: unknown key; known are name, version"),
        ("x" * 10_000_000, "larger than 256 KB; is it the right file?"),
        (b"\xff\xfe\x00", "cannot be read: invalid start byte at byte"),
        (BASE.encode("utf-16"), "cannot be read: invalid start byte at byte"),
    ],
    ids=lambda _: "",
)
def test_each_is_one_short_line_with_its_place_in_little_time(tmp_path, added, message):
    assert message in fault(tmp_path, BASE.encode() + added if isinstance(added, bytes) else BASE + added)


def test_of_many_faults_twenty_are_shown_and_the_others_counted(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(BASE + "\n".join(f"key{number}: 1" for number in range(5_000)))
    began = time.process_time()
    with pytest.raises(RecipeError) as caught:
        recipes.load(path)
    assert time.process_time() - began < 4
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert "key19: unknown key" in lines[19]
    assert lines[20] == "and 4,980 more"


def test_an_error_of_any_kind_stays_short_and_keeps_its_place_and_its_hint():
    wording = str(LeafInstructError(f"here.yaml: {'x' * 10_000_000}; do this"))
    assert len(wording) == SHORT
    assert wording.startswith("here.yaml: xxx")
    assert wording.endswith("xxx; do this")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "filter={rules: [], rules: []}",
            "--set filter, line 1, column 13: the key rules is repeated, first in line 1; keep one",
        ),
        (f"part_size={'9' * 100_000}", "--set part_size, line 1, column 1: 9999"),
        (f"part_size={'x' * 100_000}", "part_size: input should be a valid integer"),
        (f"filter={'[' * 50_000}", "--set filter, line 1, column 33: nested too deeply"),
        ("a" * 100_000, "aaa: write key=value"),
        (f"{'a.' * 40_000}b=1", "a.b: there is no such place in the recipe"),
        (f"filter.rules[{'9' * 50_000}]=1", "999]: there is no such place in the recipe"),
        ("version=*a", "--set version, line 1, column 1: not YAML: an alias"),
        ("version=1:30", "--set version, line 1, column 1: 1:30 is a number to the base 60"),
        ("version='a", "--set version, line 1, column 3: not YAML: found unexpected end of stream"),
    ],
    ids=lambda _: "",
)
def test_a_value_of_set_is_read_by_the_same_rules(tmp_path, change, message):
    assert message in fault(tmp_path, BASE, change)


def test_of_one_key_the_last_set_counts(tmp_path):
    (tmp_path / "recipe.yaml").write_text(BASE)
    assert (
        recipes.load(tmp_path / "recipe.yaml", ("part_size=3", "seed=1", "part_size=4")).recipe.part_size == 4
    )


def test_what_means_the_same_in_every_yaml_is_read_as_before(tmp_path):
    text = (
        "\ufeff%YAML 1.1\n---\nname: 'no'\nversion: \"012\"\npart_size: 1e3\nseed: 0x10\nllm: "
        "{temperature: 1.5e-1, base_url: =}\nfilter: ~\n"
    )
    assert yaml_in("here", text) == {
        "name": "no",
        "version": "012",
        "part_size": 1000.0,
        "seed": 16,
        "llm": {"temperature": 0.15, "base_url": "="},
        "filter": None,
    }
    assert yaml_in("here", "") is None
    assert yaml_in("here", "a: {yes: 'no'}".replace("yes", "'yes'")) == {"a": {"yes": "no"}}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "is a folder; give a text file"),
        (os.mkfifo, "is no regular file; give a text file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file; give a text file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read: No such file or directory"),
        (lambda _: None, "no such recipe; `leaf init DIR` writes one to start from"),
        (
            lambda path: (path.touch(), os.truncate(path, 1 << 40)),
            "larger than 256 KB; is it the right file?",
        ),
    ],
    ids=["folder", "fifo", "zero", "loop", "broken", "missing", "sparse"],
)
def test_what_is_no_file_of_text_is_neither_waited_for_nor_read(tmp_path, make, message):
    make(tmp_path / "r.yaml")
    for verb in ("build", "status"):
        done = leaf(verb, tmp_path / "r.yaml")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert message in line
        assert line.startswith(f"leaf: {tmp_path}/r.yaml: ")


def test_a_file_that_may_not_be_read_is_one_line(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(BASE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(RecipeError, match=r"r\.yaml: cannot be read: Permission denied"):
        recipes.load(path)


def test_a_name_that_no_file_can_have_is_one_line(tmp_path):
    for arguments in (
        ("build", "x" * 300),
        ("status", "x/" * 5_000),
        ("build", "--set", f"filter.judge.prompt={'x' * 300}"),
    ):
        done = leaf(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert len(line) <= SHORT + len("leaf: "), line


def test_the_worst_file_needs_little_memory(tmp_path):
    """100 MB above a small recipe, each in a process of its own."""
    (tmp_path / "small.yaml").write_text(BASE)
    (tmp_path / "worst.yaml").write_text(f"{BASE}filter: [{'[],' * 19_000}]\n")
    peaks = []
    for name in ("small", "worst"):
        code = (
            "import resource, sys\nfrom pathlib import Path\nfrom leafinstruct.errors import RecipeError\n"
            "from leafinstruct.recipe import load as recipe\n"
            "try:\n    recipe.load(Path(sys.argv[1]))\nexcept RecipeError:\n    pass\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / f"{name}.yaml"],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) * (1 if sys.platform == "darwin" else 1024))
    assert peaks[1] - peaks[0] < 100e6


@pytest.mark.parametrize(
    "line",
    [
        '{"url": "http://a.org/", "url": "http://b.org/"}',
        '{"domain": "a.org", "reason": "x", "reason": "y"}',
        '{"url": 9' + "9" * 5_000 + "}",
        "[" * 100_000,
        '{"url": ' * 100_000,
        '{"url": "http://a.org/", "kind": "page"}',
        "null",
        '"' + "x" * 1_000_000,
    ],
    ids=["url-twice", "reason-twice", "number", "deep-list", "deep-object", "unknown", "null", "long"],
)
def test_a_line_of_the_list_of_removals_that_is_not_one_entry_stops_with_its_number(tmp_path, line):
    path = tmp_path / "r.suppressed.jsonl"
    path.write_text(f'{{"domain": "b.org"}}\n\n{line}\n')
    with pytest.raises(RecipeError, match=r"r\.suppressed\.jsonl, line 3: not an entry; write") as caught:
        suppressed.load(path)
    assert len(str(caught.value)) <= SHORT


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), os.mkfifo, lambda path: path.symlink_to("nowhere")]
)
def test_a_list_of_removals_that_is_no_file_is_no_empty_list(tmp_path, make):
    make(tmp_path / "r.suppressed.jsonl")
    with pytest.raises(RecipeError, match=r"r\.suppressed\.jsonl: "):
        suppressed.load(tmp_path / "r.suppressed.jsonl")
