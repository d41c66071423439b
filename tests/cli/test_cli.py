"""The command at its edges: signals, places where nothing can be written, names that a terminal or rich would
obey."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import COMMAND, leaf, leaf_process
from making import build, mmc4, png, recipe, rows

from leafinstruct import __version__

STEPS = (
    ("Draw a red wall on the green grass of the meadow.", png()),
    ("Then add a brown roof on top of the red wall.", png((9, 9, 90), dot=30)),
)


def made(folder: Path, **sections: object) -> Path:
    mmc4(folder / "data", {f"https://h.example/{number}": list(STEPS) for number in range(2)})
    rules = {"min_words": 1, "min_images": 1, "alignment": {"allow_toy": True}, "rules": []}
    sources = [{"kind": "mmc4", "name": "own", "path": "data"}]
    return recipe(folder, **{"ingest": {"sources": sources}, "filter": rules, **sections})


def test_init_in_place_of_a_file_is_one_line(tmp_path):
    (tmp_path / "afile").write_text("x")
    for place in ("afile", "afile/below"):
        done = leaf("init", tmp_path / place)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert f"{place}: cannot create the recipe there: Not a directory" in done.stderr
        assert "give a new folder" in done.stderr


def test_init_where_nothing_can_be_written_is_one_line(tmp_path):
    place = Path("/proc/leaf-init")  # nobody makes folders there, root neither
    if not place.parent.is_dir():
        pytest.skip("no /proc on this system")
    done = leaf("init", place)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot create the recipe there" in done.stderr


def test_a_path_that_looks_like_markup_is_shown_as_it_is(tmp_path):
    path = made(tmp_path, workdir="mk[/b]x[red]")
    done = leaf("build", path)
    assert done.returncode == 0, done.stderr
    assert f" MB in {tmp_path}/mk[/b]x[red]/runs/t/shard/ (card: README.md)" in done.stdout
    assert done.stdout.splitlines()[0] == f"{tmp_path}/mk[/b]x[red]/runs/t"


def test_status_of_a_recipe_that_was_never_built_names_the_next_command(tmp_path):
    path = made(tmp_path)
    done = leaf("status", path, "--limit", "3", "--set", "filter.min_words=2 ")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if "missing" in line] == [
        f"{stage}: missing" for stage in ("ingest", "filter", "rewrite", "shard")
    ]
    assert done.stdout.splitlines()[-1] == f"next: leaf build {path} --limit 3 --set 'filter.min_words=2 '"
    missing = leaf("explain", "0123456789abcdef", path)
    assert missing.returncode == 1
    assert missing.stderr == f"leaf: runs/t: nothing has been read yet; run: leaf build {path}\n"
    assert not (tmp_path / "runs").exists()


def test_status_of_a_run_whose_place_is_taken_by_a_file_shows_nothing(tmp_path):
    path = made(tmp_path)
    (tmp_path / "taken").touch()
    done = leaf("status", path, "--set", f"workdir={tmp_path}/taken/runs")
    assert done.returncode == 0, done.stderr
    assert "ingest: missing" in done.stdout.splitlines()


def test_status_names_a_stage_that_is_older_than_its_input(tmp_path):
    path = made(tmp_path)
    build(path)
    build(path, "filter.min_words=2", until="filter")
    mmc4(tmp_path / "data", {"https://h.example/new": list(STEPS)}, "new.jsonl")
    build(path, until="ingest")
    lines = leaf("status", path).stdout.splitlines()
    assert "filter: out of date: its input has changed or is not done" in lines
    assert lines[-1] == f"next: leaf build {path}"
    states = [stage["state"] for stage in json.loads(leaf("status", path, "--json").stdout)["stages"]]
    assert states == ["done", "stale", "stale", "stale"]


def test_names_with_escapes_reach_no_terminal(tmp_path):
    """A file name may color, erase or overwrite; every verb shows it without the escape, JSON shows it
    escaped."""
    name = "red\x1b[31m\u202e.jsonl"
    path = made(tmp_path)
    (tmp_path / "data/docs.jsonl").rename(tmp_path / "data" / name)
    with (tmp_path / "data" / name).open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    build(path)
    row = rows(tmp_path / "runs/t/shard")[0]
    for arguments in (["explain", row["id"]], ["explain", f"{name} line=3"], ["status"]):
        shown = leaf(*arguments, path).stdout
        assert shown.replace("\n", "").isprintable()
        machine = leaf(*arguments, path, "--json").stdout
        assert machine.isascii()
        assert "\x1b" not in machine
        if arguments[0] == "explain":
            assert "red [31m .jsonl" in shown
            assert json.dumps(name) in machine
    wrong = leaf("build", tmp_path / name)
    assert wrong.returncode == 1
    assert (
        wrong.stderr
        == f"leaf: {tmp_path}/red [31m .jsonl: no such recipe; `leaf init DIR` writes one to start from\n"
    )


def test_a_record_that_ingest_rejected_is_explained_by_its_place(tmp_path):
    path = made(tmp_path)
    with (tmp_path / "data/docs.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n[1]\n")
    build(path)
    one = leaf("explain", "docs.jsonl line=3", path)
    assert one.returncode == 0
    assert one.stdout.startswith("docs.jsonl line=3: ingest could not read the record, broken_json: ")
    two = leaf("explain", "docs.jsonl", path)
    assert "2 documents match docs.jsonl" in two.stdout
    both = json.loads(leaf("explain", "docs.jsonl", path, "--json").stdout)["rejected"]
    assert [(item["locator"], item["reason"]) for item in both] == [
        ("line=3", "broken_json"),
        ("line=4", "not_an_object"),
    ]
    assert len(json.loads(leaf("explain", "docs.jsonl", path, "--json").stdout)["matches"]) == 2
    read = leaf("explain", "docs.jsonl line=1", path)
    assert read.stdout.splitlines()[0].endswith(": in a shard")
    none = leaf("explain", "docs.jsonl line=9", path)
    assert none.returncode == 1
    assert "has this id, sha256, URL or place" in none.stderr


VERBS = (
    "init",
    "build",
    "status",
    "inspect",
    "explain",
    "audit",
    "calibrate",
    "export",
    "push",
    "hydrate",
    "remove",
    "train",
    "generate",
    "doctor",
)


def test_help_fits_eighty_columns_and_cuts_no_sentence():
    for verb in ([], *([name] for name in VERBS)):
        done = leaf(*verb, "--help", COLUMNS="80")
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert not [line for line in done.stdout.splitlines()[1:] if line.endswith("...")]
        assert "--no-" not in done.stdout


def test_help_lists_at_most_sixteen_verbs_in_four_groups():
    lines = leaf("--help", COLUMNS="80").stdout.splitlines()
    groups: dict[str, list[str]] = {}
    for line in lines[lines.index("Build:") :]:
        if line.endswith(":"):
            group = groups.setdefault(line[:-1], [])
        elif line:
            group.append(line.split()[0])
    assert groups == {
        "Build": ["init", "build"],
        "Look": ["status", "inspect", "explain", "audit", "calibrate", "verify"],
        "Publish": ["push", "export", "hydrate", "remove"],
        "Train": ["train", "generate", "doctor"],
    }


def test_python_m_leafinstruct_is_leaf(tmp_path):
    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("leafinstruct", "--version").stdout == f"{__version__}\n"
    wrong = run("leafinstruct", "status", "--bogus")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Usage: leaf status [OPTIONS] [RECIPE]\n")
    assert wrong.stderr == leaf("status", "--bogus", cwd=tmp_path).stderr
    missing = run("leafinstruct", "status", "nowhere.yaml")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def on_a_terminal(columns: int, *arguments: str | Path, **variables: str) -> str:
    """What the command writes to a terminal of so many columns."""
    import fcntl
    import pty
    import struct
    import termios

    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment = {**known, "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=side, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(side)
    written = bytearray()
    try:
        while chunk := os.read(main, 65536):
            written += chunk
    except OSError:  # how Linux reports the end of a terminal
        pass
    os.close(main)
    assert process.wait(60) == 0
    return written.decode("utf-8").replace("\r\n", "\n")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a dropped document, an image lost, a page that writes Greek and something that cannot be
    read."""
    folder = tmp_path_factory.mktemp("finished")
    path = made(folder)
    greek = [
        ("Ζωγράφισε έναν κόκκινο τοίχο στο γρασίδι.", png()),
        ("Then add a brown roof on top of it.", png(dot=40)),
    ]
    mmc4(
        folder / "data",
        {"https://h.example/greek": greek, "https://h.example/short": [("Short.", png())]},
        "more.jsonl",
    )
    with (folder / "data/more.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    build(path, "filter.min_words=6")
    return path


ESCAPE = "\x1b"
CHANGE = ("--set", "filter.min_words=6")


def test_status_in_a_file_has_no_escapes_no_bars_and_whole_names(finished):
    lines = leaf("status", finished, *CHANGE, COLUMNS="40").stdout.splitlines()
    cells = [line.split() for line in lines]
    assert cells[1] == ["documents", "of", "read", "images"]
    assert ["unreadable:", "broken_json", "1"] in cells
    assert ["read", "4", "100.0%", "7"] in cells
    assert ["dropped", "by", "min_words", "-1", "25.0%"] in cells
    assert ["kept", "3", "75.0%", "6"] in cells
    assert all(line.isprintable() and line.isascii() for line in lines)
    ends = {line.index("documents") + len("documents") for line in lines[1:2]}
    assert all(
        line[: max(ends)].rstrip()[-1].isdigit()
        for line in lines
        if line.startswith(("read", "kept", "examples", "in shards"))
    )
    assert lines[-1].startswith("next: leaf explain ")
    shown = leaf(*lines[-1].partition("    ")[0].split()[2:])  # the command that it names, unchanged
    assert shown.stdout.splitlines()[0].endswith(": dropped by filter"), shown.stderr


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_status_fits_its_terminal_and_cuts_no_number(finished, columns):
    shown = on_a_terminal(columns, "status", finished, *CHANGE)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    table = [line for line in plain.splitlines() if re.search(r"\d%|documents", line)]
    assert max(map(len, table)) <= columns
    assert "100.0%" in plain
    assert "…" not in plain
    assert ("█" in plain) == (columns >= 80)
    assert ESCAPE in shown


def test_no_color_and_a_terminal_that_is_not_utf_8_are_honored(finished):
    assert ESCAPE not in on_a_terminal(80, "status", finished, *CHANGE, NO_COLOR="1")
    assert ESCAPE not in on_a_terminal(
        80, "explain", "https://h.example/greek", finished, *CHANGE, NO_COLOR="1"
    )
    assert "█" not in on_a_terminal(80, "status", finished, *CHANGE, PYTHONIOENCODING="ascii")
    story = ("explain", "https://h.example/greek", finished, *CHANGE)
    ascii_only = leaf_process(*story, PYTHONIOENCODING="ascii")
    assert ascii_only.returncode == 0, ascii_only.stderr
    assert "prose: ?????????" in ascii_only.stdout
    assert "Ζωγράφισε" in leaf_process(*story, PYTHONIOENCODING="utf-8").stdout


def test_status_for_machines_keeps_its_keys(finished):
    shown = json.loads(leaf("status", finished, *CHANGE, "--json").stdout)
    for entry in shown["stages"]:
        assert {
            "stage",
            "state",
            "parts",
            "counts",
            "reasons",
            "image_reasons",
            "rejected",
            "worker_seconds",
            "path",
        } <= set(entry)
        assert entry["seconds"] > 0
    assert shown["stages"][-1]["shards"] == [
        {"task": task, "split": split, **cell}
        for task, split, cell in [
            (
                item["task"],
                item["split"],
                {name: item[name] for name in ("shards", "rows", "images", "bytes")},
            )
            for item in shown["stages"][-1]["shards"]
        ]
    ]
    assert sum(item["rows"] for item in shown["stages"][-1]["shards"]) == 3


def test_a_story_has_headings_in_bold_and_fits_eighty_columns(finished):
    shown = on_a_terminal(120, "explain", "https://h.example/short", finished, *CHANGE)
    assert "\x1b[1mfilter: dropped by min_words\x1b[0m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, plain)) <= 80
    assert "  min_words is 1, the bound is 6" in plain
