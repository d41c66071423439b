"""leaf export: what is in the folder, whoever asks, whatever the rows hold, and however often it was
killed."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command import leaf
from export.dataset import HOSTILE, dataset, guide, image_bytes, row, shard
from installing import install
from making import published
from markdown_it import MarkdownIt

from leafinstruct.errors import DriftError, RecipeError, SourceError
from leafinstruct.export.catalog import MODULES, format_of, names
from leafinstruct.export.row import Sample, sample_of
from leafinstruct.export.run import export
from leafinstruct.records.escaping import escape, unescape
from leafinstruct.runtime.artifact import Artifact

CHAT = ("llama-factory", "ms-swift")


def records_of(out: Path, name: str, split: str = "train") -> list[dict[str, Any]]:
    if name == "conversations":
        return list(json.loads((out / f"{split}.json").read_text()))
    return [json.loads(line) for line in (out / f"{split}.jsonl").read_text().splitlines()]


def texts_of(record: dict[str, Any]) -> list[str]:
    return [
        turn.get("value", turn.get("content")) for turn in record.get("conversations", record.get("messages"))
    ]


def everything(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def made(data: object, name: str, out: Path, **options: Any) -> dict[str, Any]:
    return export(str(data), format_of(name), out, out.parent, **options).record


@pytest.mark.parametrize("name", MODULES)
def test_every_row_and_image_is_there_once(tmp_path, name):
    record = made(dataset(tmp_path), name, tmp_path / "out")
    assert record["counts"]["rows"] == 11
    assert record["counts"]["images"] == 9 * 2 + 2 * 3
    assert record["counts"]["answer_images"] == 9 * 2 + 2 * 2
    assert record["counts"]["escaped_texts"] == 2 * 2
    assert record["reasons"] == {}
    assert list(record["splits"]) == ["train", "validation"]
    assert all(
        hashlib.sha256((tmp_path / "out" / file).read_bytes()).hexdigest() == sha
        for file, sha in record["files"].items()
    )
    assert not (tmp_path / "out" / ".parts").exists()


@pytest.mark.parametrize("name", ["conversations", *CHAT])
def test_placeholders_match_images_and_texts_are_restored(tmp_path, name):
    out = tmp_path / "out"
    made(dataset(tmp_path), name, out)
    rows = {
        item["id"]: item
        for path in sorted((tmp_path / "runs/made/shard").glob("*"))
        for item in pq.read_table(path).to_pylist()
    }
    found = records_of(out, name) + records_of(out, name, "validation")
    assert {item["id"] for item in found} == set(rows)
    for item in found:
        row, paths = rows[item["id"]], item.get("image", item.get("images"))
        assert sum(text.count("<image>") for text in texts_of(item)) == len(paths)
        assert not any(
            mark in text
            for text in texts_of(item)
            for mark in format_of(name).placeholders
            if mark != "<image>"
        )
        assert [(out / path).read_bytes() for path in paths] == [image["bytes"] for image in row["images"]]
        assert [Path(path).stem for path in paths] == [info["sha256"] for info in row["image_info"]]
        lines = [
            [part["text"] if part["type"] == "text" else "<image>" for part in message["content"]]
            for message in row["messages"]
        ]
        assert [unescape(text) if "\\" in text else text for text in texts_of(item)] == [
            "\n".join(parts) for parts in lines
        ]
        assert (item["url"], item["license"], item["language"], item["provenance"]["locator"]) == (
            row["url"] or "",
            row["license"] or "",
            row["language"] or "",
            row["provenance"]["locator"],
        )
        assert [info["license"] for info in item["image_info"]] == [
            info["license"] or "" for info in row["image_info"]
        ]
    assert {path.suffix for path in (out / "images").rglob("*.*")} == {".png", ".jpg", ".webp"}


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed file:ResourceWarning"
)  # webdataset's own reader
def test_webdataset_reads_it_back(tmp_path):
    wds = pytest.importorskip("webdataset")
    out = tmp_path / "out"
    record = made(dataset(tmp_path), "webdataset", out)
    rows = {
        item["id"]: item
        for path in sorted((tmp_path / "runs/made/shard").glob("*train*"))
        for item in pq.read_table(path).to_pylist()
    }
    names = record["splits"]["train"]
    assert names == [f"train-{number:06}.tar" for number in range(3)]
    found = list(wds.WebDataset([str(out / name) for name in names], shardshuffle=False).decode())
    assert [sample["json"]["id"] for sample in found] == [sample["__key__"] for sample in found]
    assert set(rows) == {sample["__key__"] for sample in found}
    for sample in found:
        row, record = rows[sample["__key__"]], sample["json"]
        assert [sample[name] for name in record["images"]] == [image["bytes"] for image in row["images"]]
        places = [part["type"] for turn in record["messages"] for part in turn["content"]].count("image")
        assert places == len(record["images"])
    (first,) = (sample["json"] for sample in found if sample["__key__"] == f"{10:016x}")
    assert [unescape(part.get("text", "!")) for part in first["messages"][0]["content"]] == [
        HOSTILE,
        "!",
        "What is it?",
    ]


def test_tar_shards_are_bounded_and_their_bytes_depend_on_the_rows_alone(tmp_path):
    path = shard(
        tmp_path / "d" / "guide.train-00000-of-00001.parquet", [guide(number) for number in range(1, 30)]
    )
    record = made(path, "webdataset", tmp_path / "out", tar_bytes=20_480)
    names = record["splits"]["train"]
    assert len(names) > 2
    members = []
    for name in names:
        assert (tmp_path / "out" / name).stat().st_size <= 20_480
        with tarfile.open(tmp_path / "out" / name) as tar:
            members += tar.getmembers()
    assert [item.name for item in members] == [
        f"{number:016x}.{end}" for number in range(1, 30) for end in ("000.png", "001.jpg", "json")
    ]
    assert {(item.mtime, item.uid, item.gid, item.uname, item.gname, item.mode) for item in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_an_image_larger_than_a_tar_shard_has_one_of_its_own(tmp_path):
    path = shard(tmp_path / "d" / "guide.train-00000-of-00001.parquet", [guide(1), guide(2)])
    assert len(made(path, "webdataset", tmp_path / "out", tar_bytes=1)["splits"]["train"]) == 2


@pytest.mark.parametrize("name", MODULES)
def test_the_same_shards_give_the_same_bytes(tmp_path, name):
    shards = dataset(tmp_path)
    made(shards, name, tmp_path / "one")
    made(shards, name, tmp_path / "two")
    assert everything(tmp_path / "one") == everything(tmp_path / "two")


class KilledError(Exception):
    """Stands for a signal: it may come behind any row."""


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("at", [1, 3, 6, 10, 11])
def test_killed_behind_any_row_it_goes_on_to_the_same_bytes(tmp_path, name, at):
    shards = dataset(tmp_path)
    made(shards, name, tmp_path / "whole")

    def kill(done: int, total: int) -> None:
        assert total == 11
        if done >= at:
            raise KilledError

    with pytest.raises(KilledError):
        made(shards, name, tmp_path / "out", on_rows=kill)
    assert not (tmp_path / "out" / "record.json").exists()
    assert list((tmp_path / "out").glob("train*")) == []
    progress: list[int] = []
    made(shards, name, tmp_path / "out", on_rows=lambda done, _: progress.append(done))
    assert progress[-1] == 11
    # an up-to-date shard is reported once
    assert len(progress) == len(set(progress)) + 4 - sum(at > end for end in (2, 7, 9))
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")


def test_what_a_killed_writer_left_is_cleared_away_and_never_taken_for_whole(tmp_path):
    shards, out = dataset(tmp_path), tmp_path / "out"
    made(shards, "llama-factory", tmp_path / "whole")

    def kill(done: int, total: int) -> None:
        if done == 6:
            raise KilledError

    with pytest.raises(KilledError):
        made(shards, "llama-factory", out, on_rows=kill)
    whole = next((out / "images").glob("*/*.png"))
    whole.write_bytes(whole.read_bytes()[:-1])  # as a power cut leaves it
    for left in (
        whole.with_name(".a.png.99.tmp"),
        out / ".train.jsonl.99.tmp",
        out / ".parts" / ".lines-00001.jsonl.99.tmp",
    ):
        left.write_text("half")
    Artifact(out / ".parts").file("report", "00000", ".json").write_text('{"part": "00000", "key"')
    made(shards, "llama-factory", out)
    assert everything(out) == everything(tmp_path / "whole")


def test_killed_while_tar_shards_take_their_names_it_goes_on_to_the_same_bytes(tmp_path):
    shards, out = dataset(tmp_path), tmp_path / "out"
    made(shards, "webdataset", tmp_path / "whole")
    calls: list[int] = []

    def kill(done: int, total: int) -> None:
        calls.append(done)
        if calls.count(total) == 2:  # its last row, and then the shard as a whole
            raise KilledError

    with pytest.raises(KilledError):
        made(shards, "webdataset", out, on_rows=kill)
    Artifact(out / ".parts").file("tar000000", "00000", ".tar").replace(out / "train-000000.tar")
    made(shards, "webdataset", out)
    assert everything(out) == everything(tmp_path / "whole")


def test_a_whole_export_is_left_alone_and_a_broken_one_made_again(tmp_path):
    shards = dataset(tmp_path)
    first = export(str(shards), format_of("ms-swift"), tmp_path / "out", tmp_path)
    before = everything(tmp_path / "out")
    second = export(str(shards), format_of("ms-swift"), tmp_path / "out", tmp_path)
    assert (first.up_to_date, second.up_to_date) == (False, True)
    assert second.record == first.record
    (tmp_path / "out" / "train.jsonl").unlink()
    assert not export(str(shards), format_of("ms-swift"), tmp_path / "out", tmp_path).up_to_date
    assert everything(tmp_path / "out") == before


def test_a_foreign_folder_is_refused_and_not_touched(tmp_path):
    shards = dataset(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear to me")
    (tmp_path / "file").write_text("x")
    for out, why in (
        ("mine", "contains files that are not of an export"),
        ("file", "is a file"),
        ("runs/made/shard", "contains files that are not of an export"),
    ):
        with pytest.raises(SourceError, match=why) as raised:
            made(shards, "ms-swift", tmp_path / out)
        assert "\n" not in str(raised.value)
    assert list((tmp_path / "mine").iterdir()) == [tmp_path / "mine" / "notes.txt"]


def test_another_export_is_replaced_only_when_asked_and_what_is_not_ours_stays(tmp_path):
    shards, out = dataset(tmp_path), tmp_path / "out"
    made(shards, "webdataset", out)
    (out / "notes.txt").write_text("dear to me")
    with pytest.raises(DriftError, match=r'export "webdataset" -> "llama-factory".*--rebuild'):
        made(shards, "llama-factory", out)
    made(shards, "llama-factory", out, rebuild=True)
    made(shards, "llama-factory", tmp_path / "fresh")
    (out / "notes.txt").unlink()
    assert everything(out) == everything(tmp_path / "fresh")


def test_rows_that_a_format_cannot_hold_are_left_out_with_a_reason_and_listed(tmp_path):
    rows = [
        guide(1),
        guide(2, images=[{"bytes": image_bytes(1), "path": None}]),
        guide(3, images=[{"bytes": None, "path": "a.png"}, {"bytes": image_bytes(1), "path": None}]),
        row(4, ("user", ["look"]), ("assistant", [b"<svg onload=alert(1)>"])),
        guide(5, messages=[]),
        row(6, ("assistant", ["Hello", image_bytes(6)]), ("user", ["Hi"]), ("assistant", ["So"])),
        row(7, ("user", ["Hi"]), ("assistant", [image_bytes(7)]), ("user", ["Thanks"])),
        row(
            8,
            ("user", ["Be brief."]),
            ("user", ["What is <ima"]),
            ("user", ["ge>?", image_bytes(8)]),
            ("assistant", ["A mark."]),
        ),
    ]
    rows[0]["image_info"] = []
    rows[-1]["provenance"] = None
    broken = guide(9)
    broken["image_info"][1]["sha256"] = "0" * 64
    path = shard(tmp_path / "d" / "guide.train-00000-of-00001.parquet", [*rows, broken])
    common = {"bad_messages": 1, "no_bytes": 1, "undecodable": 1, "images_differ": 1, "sha256_differs": 1}
    assert made(path, "conversations", tmp_path / "c")["reasons"] == common
    for name in CHAT:
        out = tmp_path / name
        assert made(path, name, out)["reasons"] == {
            **common,
            "begins_with_answer": 1,
            "ends_with_question": 1,
        }
        (first, last) = records_of(out, name)
        assert [turn["content"] for turn in last["messages"]] == [
            "Be brief.\nWhat is <ima\nge>?\n<image>",
            "A mark.",
        ]
        listed = [json.loads(line) for line in (out / "left-out.jsonl").read_text().splitlines()]
        assert [(item["row"], item["reason"]) for item in listed][:2] == [
            (1, "images_differ"),
            (2, "no_bytes"),
        ]
        assert len(listed) == 7
        assert "`left-out.jsonl` lists these rows" in (out / "README.md").read_text()
    assert first["image_info"][0]["license"] == ""


def test_two_rows_of_one_id_are_not_one_sample(tmp_path):
    path = shard(
        tmp_path / "d" / "guide.train-00000-of-00001.parquet", [guide(1), guide(1), guide(2, id="../../x.y")]
    )
    assert made(path, "webdataset", tmp_path / "out")["reasons"] == {"duplicate_id": 1}
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
        assert all("/" not in name and name.count(".") <= 2 for name in tar.getnames())
    assert made(path, "conversations", tmp_path / "c")["counts"]["rows"] == 3


def test_a_split_and_a_task_alone(tmp_path):
    shards = dataset(tmp_path)
    assert made(shards, "conversations", tmp_path / "a", split="validation")["counts"]["rows"] == 2
    assert made(shards, "conversations", tmp_path / "b", task="continuation")["counts"]["rows"] == 2
    assert (
        made(shards / "guide.*.parquet", "conversations", tmp_path / "c", split="train")["counts"]["rows"]
        == 7
    )
    with pytest.raises(
        SourceError,
        match=(
            r"no shard of task edit and split any; available: continuation.train, guide.train, "
            r"guide.validation"
        ),
    ):
        made(shards, "conversations", tmp_path / "d", task="edit")


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(tmp_path):
    assert made(dataset(tmp_path / "runs [2]"), "conversations", tmp_path / "out")["counts"]["rows"] == 11


def test_what_cannot_be_exported_is_reported_in_one_line(tmp_path):
    none = shard(
        tmp_path / "d" / "guide.train-00000-of-00001.parquet",
        [guide(1, images=[{"bytes": None, "path": "a"}] * 2)],
    )
    with pytest.raises(SourceError, match=r"no row of d can be exported: no_bytes 1; `leaf hydrate`"):
        made(none, "ms-swift", tmp_path / "a")
    with pytest.raises(SourceError, match="does not name its split"):
        made(shard(tmp_path / "e" / "rows.parquet", [guide(1)]), "ms-swift", tmp_path / "b")
    shards = dataset(tmp_path)
    (shards / "fingerprint.json").write_text("{}")
    with pytest.raises(SourceError, match="is not finished; run `leaf build`"):
        made(shards, "ms-swift", tmp_path / "c")
    for out in "bc":
        assert not (tmp_path / out).exists()


def test_the_readme_is_safe_whatever_the_dataset_is_called(tmp_path):
    path = shard(
        tmp_path / "d" / "guide.train-00000-of-00001.parquet",
        [guide(1, license="<script>alert(1)</script> [x](javascript:y)", source="a\n# b")],
    )
    made(path, "conversations", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "<script>" not in text
    assert "[x](javascript" not in text
    assert "\n# b" not in text


def test_the_verb(tmp_path):
    dataset(tmp_path)
    done = leaf("export", "run:made", "--to", "llama-factory", "--out", "lf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "11 rows, 24 images in lf/ (how to load it: README.md)\n"
    assert "export: llama-factory: 11 of 11 rows" in done.stderr
    assert "22 of 24 images are in answers. LLaMA-Factory does not train image generation" in done.stderr
    info = json.loads((tmp_path / "lf" / "dataset_info.json").read_text())
    assert {name: entry["file_name"] for name, entry in info.items()} == {
        "made_train": "train.jsonl",
        "made_validation": "validation.jsonl",
    }
    again = leaf("export", "run:made", "--to", "ms-swift", "--out", "lf", "--json", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert len(again.stderr.splitlines()) == 1
    wrong = leaf("export", "--to", "csv", "--out", "x", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "'csv' is none of conversations, webdataset, llama-factory, ms-swift" in " ".join(
        wrong.stderr.split()
    )
    assert "Value error" not in wrong.stderr
    assert f"[{'|'.join(MODULES)}]" in leaf("export", "--help").stdout


LIST = [
    "Do this.",
    "3. Cut it.\n   - well",
    image_bytes(1),
    "     more\n\n   Press it.\n4. Bake it.",
    "```\nx\n```",
    "Done.",
]


@pytest.mark.parametrize("name", MODULES)
def test_a_list_keeps_its_bytes_and_is_apart_from_the_texts_beside_it(name):
    sample = sample_of(published(row(1, ("user", ["Go"]), ("assistant", LIST))))
    assert isinstance(sample, Sample)
    record = format_of(name).record(sample)
    turn = (record.get("conversations") or record["messages"])[1]
    content = turn.get("value") or turn["content"]
    texts = (
        [part["text"] for part in content if part["type"] == "text"]
        if isinstance(content, list)
        else content.split("\n<image>\n")
    )
    assert texts == [
        "Do this.\n\n3. Cut it.\n   - well",
        "     more\n\n   Press it.\n4. Bake it.\n\n```\nx\n```\nDone.",
    ]


@pytest.mark.parametrize("name", ["conversations", "llama-factory", "ms-swift"])
def test_a_markdown_parser_finds_the_lists_around_placeholders(name):
    parts = [
        "Do:",
        image_bytes(1),
        "3. Cut.\n4. Mix.",
        image_bytes(2),
        "   - well",
        image_bytes(3),
        "   Wait.\n\n5. Bake.",
        image_bytes(4),
        "Done.",
    ]
    sample = sample_of(published(row(1, ("user", ["Go"]), ("assistant", parts))))
    assert isinstance(sample, Sample)
    record = format_of(name).record(sample)
    turn = (record.get("conversations") or record["messages"])[1]
    tokens = MarkdownIt().parse((turn.get("value") or turn["content"]).replace("<image>", "![](x.png)"))
    assert [token.info for token in tokens if token.type == "list_item_open"] == ["3", "4", "", "5"]
    assert [token.content for token in tokens if token.type == "inline" and token.level == 1] == [
        "Do:\n![](x.png)",
        "Done.",
    ]


def test_no_placeholder_of_our_formats_is_left_in_an_escaped_text():
    """So no row is left out for one."""
    for name in MODULES:
        for placeholder in format_of(name).placeholders:
            assert placeholder not in escape(f"a {placeholder} b")


def installed_format(site: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str) -> None:
    install(site, "notes", {"leafinstruct.formats": {"notes": f"{module}:FORMAT"}}, {f"{module}.py": source})
    monkeypatch.syspath_prepend(str(site))


NOTES = """
from leafinstruct.export.format import Format
FORMAT = Format(
    name="notes", title="notes", packing="list", placeholders=("{{n}}", "<image>"),
    record=lambda sample: {
        "id": sample.row.id, "texts": [turn.with_placeholders("{{n}}") for turn in sample.turns]
    },
    loading=lambda name, files: "Read it.\\n", answers="They are there.",
    fault=lambda sample: "no_answer" if sample.turns[-1].role == "user" else None,
    beside=lambda name, files: {"notes.json": {"splits": list(files)}},
)
"""


def test_an_installed_format_gets_escaped_texts_and_its_placeholders_are_respected(tmp_path, monkeypatch):
    installed_format(tmp_path / "site", monkeypatch, "notes_format", NOTES)
    turns = [
        row(1, ("user", ["Go <image>"]), ("assistant", ["One", image_bytes(1)])),
        row(2, ("user", ["Write {{n}} here"]), ("assistant", [image_bytes(2)])),
        row(3, ("assistant", ["One"]), ("user", ["Two"])),
    ]
    shard(tmp_path / "s" / "guide.train-00000-of-00001.parquet", turns)
    out = tmp_path / "out"
    record = made(tmp_path / "s", "notes", out)
    assert json.loads((out / "train.json").read_text()) == [
        {"id": f"{1:016x}", "texts": ["Go <\\image>", "One\n{{n}}"]}
    ]
    assert record["reasons"] == {"no_answer": 1, "placeholder_in_text": 1}
    assert json.loads((out / "left-out.jsonl").read_text().splitlines()[0])["detail"] == (
        "a text contains '{{n}}', which notes interprets"
    )
    assert record["fingerprint"]["package"] == "notes 1.0"
    assert json.loads((out / "notes.json").read_text()) == {"splits": ["train"]}
    monkeypatch.syspath_prepend(
        str(
            install(
                tmp_path / "newer",
                "notes",
                {"leafinstruct.formats": {"notes": "notes_format:FORMAT"}},
                version="1.1",
            )
        )
    )
    with pytest.raises(DriftError, match=r"contains another export \(package .*1\.0.*1\.1"):
        made(tmp_path / "s", "notes", out)
    made(tmp_path / "s", "ms-swift", out, rebuild=True)
    assert not (out / "notes.json").exists()
    assert "package" not in json.loads((out / "fingerprint.json").read_text())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("FORMAT = 3", r"is no export\.format\.Format with the name 'notes'"),
        (
            NOTES.replace('name="notes"', 'name="other"'),
            r"is no export\.format\.Format with the name 'notes'",
        ),
        ("import no_such_library_here", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_no_format_is_one_line_with_its_distribution(tmp_path, monkeypatch, source, message):
    module = f"wrong_format_{len(source)}"
    installed_format(tmp_path, monkeypatch, module, source)
    assert names() == [*MODULES, "notes"]
    with pytest.raises(
        RecipeError, match=rf"^notes 1\.0: 'notes' of leafinstruct\.formats \({module}:FORMAT\) {message}"
    ):
        format_of("notes")


def test_a_name_of_ours_and_an_unknown_name_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(RecipeError, match=r"^no format 'csv'; one of conversations, .*, ms-swift is needed$"):
        format_of("csv")
    install(tmp_path, "notes", {"leafinstruct.formats": {"ms-swift": "notes:FORMAT"}})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        RecipeError, match=r"^leafinstruct\.formats: both leafinstruct .* and notes 1\.0 provide 'ms-swift'"
    ):
        names()
