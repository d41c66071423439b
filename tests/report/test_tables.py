"""The tables of a run: their numbers are those of `leaf status`, `leaf explain` and the shards."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import leaf
from making import build, document, png, rows, unjudged
from report.looking import chain, commit, make
from typer.testing import CliRunner

import leafinstruct
from leafinstruct.cli import app
from leafinstruct.errors import DamagedError, DriftError, LeafInstructError, SourceError
from leafinstruct.records import table
from leafinstruct.records.rows import Drop
from leafinstruct.report import status, tables
from leafinstruct.report.run import Run
from leafinstruct.runtime.files import load, save

WALL, ROOF, DOOR = (
    "Draw a red wall on the green grass of the meadow.",
    "Then add a brown roof on top of the red wall.",
    "Now paint a blue door in the middle of the wall.",
)
RED, BLUE = (200, 30, 30), (9, 9, 90)
PAGES = {
    "kept": [(WALL, png(RED)), (ROOF, png(BLUE, dot=30))],
    "icon": [(WALL, png(RED, dot=3)), (ROOF, png(size=(20, 20))), (DOOR, png(BLUE, dot=5))],
    "links": [(f"{WALL} http://a.example http://b.example", png(dot=7)), (ROOF, png(BLUE, dot=8))],
    "wide": [(WALL, png(RED, (400, 60), dot=1)), (ROOF, png(BLUE, dot=2)), (DOOR, png(dot=9))],
}
RULES = [
    {"score": "text.links", "max": 0},
    {"score": "image.side", "min": 40},
    {"score": "image.aspect", "max": 3, "drop": "document"},
]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which a rule on text, one on images and one on images that drops documents each fail once."""
    folder = tmp_path_factory.mktemp("tables")
    path = unjudged(folder, {f"https://h.example/{name}": page for name, page in PAGES.items()})
    with (folder / "data/docs.jsonl").open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    settings = f"filter.rules={json.dumps(RULES)}", "part_size=3"
    build(path, *settings)
    path.write_text(path.read_text() + "part_size: 3\n")
    path.write_text(path.read_text().replace("rules: []", f"rules: {json.dumps(RULES)}"))
    return path


@pytest.fixture(scope="module")
def run(recipe: Path) -> Run:
    return leafinstruct.open(recipe.parent / "runs/t")


@pytest.fixture(scope="module")
def ids(run: Run) -> dict[str, str]:
    """Name of a page -> id of its document."""
    found = {}
    for part in run.stages["ingest"].parts():
        for identity, url in table.columns(run.stages["ingest"].file("documents", part), "id", "url"):
            found[url.rpartition("/")[2]] = identity
    return found


def test_the_scores_are_those_that_explain_shows(run, ids):
    scores = run.scores()
    assert list(scores) == ["document_id", "name", "position", "value", "state", "model", "detail"]
    assert [str(kind) for kind in scores.dtypes] == [
        *("str", "category", "Int32", "float64", "category", "category", "str")
    ]
    for identity in ids.values():
        shown = run.explain(identity)["record"]["scores"]
        own = scores[scores.document_id == identity].drop(columns="document_id").astype(object)
        assert own.where(own.notna(), None).to_dict("records") == shown
    side = scores[(scores.document_id == ids["icon"]) & (scores.name == "image.side")]
    assert side[["position", "value"]].values.tolist() == [[0, 64.0], [2, 20.0], [4, 64.0]]
    words = run.scores(["text.words"]).set_index("document_id").value
    assert {name: words[own] for name, own in ids.items()} == {
        "kept": 22,
        "icon": 33,
        "links": 26,
        "wide": 33,
    }


def test_the_drops_are_those_that_status_counts(run, ids):
    drops = run.drops()
    shown = drops[["document_id", "scope", "rule", "position", "value", "threshold"]].values.tolist()
    assert sorted(map(str, shown)) == sorted(
        str(row)
        for row in (
            [ids["links"], "document", "text.links", pd.NA, 7.6923, 0.0],
            [ids["icon"], "image", "image.side", 2, 20.0, 40.0],
            [ids["wide"], "document", "image.aspect", 0, 6.6667, 3.0],
            [ids["wide"], "image", "image.aspect", 0, 6.6667, 3.0],
        )
    )
    entry = status.entries(run.stages)[1]
    documents = drops[drops.scope == "document"].drop_duplicates("document_id")
    assert Counter(documents.rule) == entry["reasons"] == {"text.links": 1, "image.aspect": 1}
    assert Counter(drops[drops.scope == "image"].rule) == entry["image_reasons"]


def test_the_funnel_has_the_lines_of_status(run, recipe):
    funnel = run.funnel()
    assert list(funnel) == ["stage", "step", "documents", "images", "share", "lost"]
    assert [str(kind) for kind in funnel.dtypes] == ["category", "str", "Int64", "Int64", "float64", "bool"]
    assert list(zip(funnel.step, funnel.documents.fillna(-1), funnel.images.fillna(-1), strict=True)) == [
        ("unreadable: broken_json", 1, -1),
        ("read", 4, 10),
        ("dropped by text.links", 1, -1),
        ("dropped by image.aspect", 1, -1),
        ("images dropped by image.side", -1, 1),
        ("images dropped by image.aspect", -1, 1),
        ("kept", 2, 4),
        ("examples", 2, 4),
        ("in shards", 2, 4),
    ]
    lines = leaf("status", recipe).stdout.splitlines()
    for row in funnel.itertuples():
        line = next(line for line in lines if line.strip().startswith(row.step))
        sign = "-" if row.lost and row.stage != "ingest" else ""
        shown = [f"{sign}{row.documents}"] if row.documents is not pd.NA else []
        shown += [f"{row.share:.1%}"] if row.share == row.share else []
        shown += [f"{sign}{row.images}"] if row.images is not pd.NA else []
        assert line.strip().removeprefix(row.step).split() == shown


def test_the_examples_are_the_rows_of_the_shards(run, ids):
    published = rows(run.directory / "shard")
    examples = run.examples()
    assert list(examples)[:6] == ["split", "shard", "row", "id", "document_id", "source"]
    assert [str(kind) for kind in examples.dtypes] == [
        *("category", "category", "Int64", "str", "str", "category", "category", "object", "object"),
        *("str", "str", "str", "category", "str", "object"),
    ]
    assert set(examples.document_id) == {ids["kept"], ids["icon"]}
    for name in ("id", "messages", "image_info", "url", "provenance"):
        assert examples[name].tolist() == [row[name] for row in published]
    for place, row in zip(examples.itertuples(), published, strict=True):
        stored = pq.read_table(run.directory / "shard" / place.shard).to_pylist()
        assert stored[place.row]["id"] == row["id"]
        assert place.shard.startswith(f"{place.task}.{place.split}-")
    decoded = run.examples(["document_id", "images"]).set_index("document_id").images
    assert [image.size for image in decoded[ids["icon"]]] == [(96, 64), (96, 64)], "the icon was dropped"
    assert [image.getpixel((90, 60)) for image in decoded[ids["kept"]]] == [RED, BLUE]


def test_a_part_of_a_table_is_read_on_request(run):
    whole = run.scores()
    assert run.scores(limit=5).astype(object).equals(whole.head(5).astype(object))
    some = run.scores(["image.side", "text.words"], ["value", "name"])
    assert list(some) == ["value", "name"]
    assert some.value.tolist() == whole[whole.name.isin(["image.side", "text.words"])].value.tolist()
    chunks = list(run.chunks("scores", ["value"]))
    assert len(chunks) == 2, "one of each part"
    assert pd.concat(chunks).value[:3].equals(whole.value[:3])  # one is NaN
    assert sum(map(len, chunks)) == len(whole)
    assert [len(images) for chunk in run.chunks("examples", ["images"]) for images in chunk.images] == [2, 2]
    assert len(run.examples(limit=0)) == 0
    for asked, fault in (
        (lambda: run.scores(["text.word"]), "unknown score 'text.word'; did you mean 'text.words'?"),
        (lambda: run.drops(["rules"]), "drops: there is no column 'rules'; did you mean 'rule'?"),
        (
            lambda: run.scores(columns=["images"]),
            "scores: there is no column 'images'; known are document_id",
        ),
        (lambda: list(run.chunks("example")), "there is no table 'example'; did you mean 'examples'?"),
    ):
        with pytest.raises(LeafInstructError) as raised:
            asked()
        assert str(raised.value).startswith(fault)


@pytest.mark.parametrize("name", [name for name in tables.TABLES if name != "preference"])
def test_status_writes_tables(run, recipe, tmp_path, name):
    done = leaf("status", recipe, "--table", name, "--out", tmp_path / "new/t.parquet")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/new/t.parquet\n")
    frame = run.chunks(name)
    whole = pd.concat([chunk.astype(object) for chunk in frame])
    stored = pq.read_table(tmp_path / "new/t.parquet")
    assert done.stderr == f"leaf: {len(whole)} rows\n"
    assert stored.schema.names == list(whole)
    assert stored.to_pylist() == whole.where(whole.notna(), None).to_dict("records")
    assert run.write(name, tmp_path / "t.csv") == len(whole)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [list(row) for row in read] == [list(whole)] * len(whole)
    for row, expected in zip(read, stored.to_pylist(), strict=True):
        for column, value in expected.items():
            shown = json.loads(row[column]) if isinstance(value, dict | list) else row[column]
            if isinstance(value, bool):
                assert shown == str(value).lower()
            elif isinstance(value, int | float):
                assert float(shown) == value
            else:
                assert shown == (value or "")


def test_a_text_that_looks_like_a_formula_is_text_in_a_spreadsheet(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", 'a"b,\nc', "1 = 1", "", None]
    cells = [
        {
            "document_id": "d",
            "name": "n",
            "value": -1.5,
            "state": "ok",
            "detail": text,
            "position": None,
            "model": None,
        }
        for text in texts
    ]
    batch = pa.RecordBatch.from_pylist(cells, table.SCORES)
    tables.write([batch], "scores", tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["detail"] for row in read] == [
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", 'a"b,\nc', "1 = 1", "", "")
    ]
    assert {row["value"] for row in read} == {"-1.5"}, "a number stays one"
    tables.write([batch], "scores", tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet")["detail"].to_pylist() == texts


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_that_cannot_be_finished_leaves_the_file_before_it(tmp_path, name):
    def broken():
        yield pa.RecordBatch.from_pylist([], table.SCORES)
        raise SourceError("the disk is gone")

    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(SourceError, match="the disk is gone"):
        tables.write(broken(), "scores", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"before"


def test_a_table_has_one_place_and_one_ending(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "t.xlsx"
    done = leaf("status", recipe, "--table", "scores", "--out", out)
    assert (done.returncode, done.stderr) == (
        1,
        f"leaf: {out}: a table is written as .parquet or .csv; give such a name\n",
    )
    for arguments, fault in (
        (
            ("--table", "score", "--out", "t.csv"),
            "'score' is none of scores, drops, edits, funnel, examples, preference",
        ),
        (("--table", "scores"), "needs --out FILE"),
        (("--out", "t.csv"), "None is none of scores, drops, edits, funnel, examples, preference"),
    ):
        done = CliRunner().invoke(app, ["status", str(recipe), *arguments])
        assert done.exit_code == 2
        assert fault in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_there_half_built_or_damaged_is_a_leaf_error(tmp_path):
    path = unjudged(tmp_path, {"https://h.example/kept": PAGES["kept"]})
    with pytest.raises(SourceError, match=r"runs/t: no such run; give the folder of one, runs/<name>"):
        leafinstruct.open(tmp_path / "runs/t")
    build(path, until="ingest")
    run = leafinstruct.open(tmp_path / "runs/t")
    assert run.funnel().step.tolist() == ["read"]
    for asked, stage in ((run.scores, "filter"), (run.drops, "filter"), (run.examples, "shard")):
        with pytest.raises(LeafInstructError) as raised:
            asked()
        assert str(raised.value) == (
            f"{tmp_path}/runs/t/{stage}: missing, so there is no table of {asked.__name__}; "
            "run: leaf build RECIPE"
        )
    shown = leaf("status", path, "--table", "scores", "--out", tmp_path / "t.csv")
    assert shown.stderr == (
        f"leaf: runs/t/filter: missing, so there is no table of scores; run: leaf build {path}\n"
    )
    build(path)
    run = leafinstruct.open(str(tmp_path / "runs/t"))
    scores = next(run.stages["filter"].path.rglob("scores-*"))
    data = bytearray(scores.read_bytes())
    data[40] ^= 1
    scores.write_bytes(data)
    with pytest.raises(DamagedError, match=f"{scores.name}: .*`leaf verify` lists what is damaged"):
        run.scores()
    assert len(run.examples()) == 1, "another file"
    record = load(run.stages["shard"].path / "record.json")
    save(run.stages["shard"].path / "record.json", {**(record or {}), "format": 1})
    with pytest.raises(DriftError) as older:
        leafinstruct.open(run.directory)
    assert leaf("status", path).stderr == f"leaf: {older.value}\n".replace(f"{tmp_path}/", "")


def test_drops_of_pieces_are_no_drops_of_documents(tmp_path):
    """Of two pages that rewrite refused, one is a piece of a page that became an example."""
    pages = [document(f"# Page {number}", f"!p{number}", WALL, file=f"{number}.html") for number in range(3)]
    make(tmp_path, pages, until="filter")
    drop = Drop("no_steps", None, None, "ok", detail="x")
    refused = [table.document_row(page, [drop]) for page in pages[:2]]
    example = {"id": "e", "document_id": pages[0].id, "turns": [], "scores": [], "models": [], "prompts": []}
    empty = {field.name: None for field in table.EXAMPLES}
    stages = chain(tmp_path)
    commit(
        stages["rewrite"],
        "made-0",
        {"examples": ([{**empty, **example}], table.EXAMPLES), "dropped": (refused, table.DECISIONS)},
        {"counts": {}},
    )
    drops = Run(tmp_path).drops()
    assert drops[drops.stage == "rewrite"][["document_id", "scope"]].values.tolist() == [
        [pages[0].id, "piece"],
        [pages[1].id, "document"],
    ]
    assert drops[drops.stage == "filter"].document_id.tolist() == [pages[1].id]
