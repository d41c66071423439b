"""References instead of pictures, and back: to the byte where all can be had, with reasons where not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import leaf, png, rows, shard_sums

from leafinstruct.errors import SchemaError
from leafinstruct.push.reference import NOTICE, card, without_notice
from leafinstruct.records.document import Ref
from leafinstruct.train.shards import rows as train_rows

CONTACT = ("--contact", "me@site.example")


class Pictures(ThreadingHTTPServer):
    """Serves files by name; `instead`: name -> bytes or a status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Picture)
        self.files: dict[str, bytes] = {}
        self.instead: dict[str, bytes | int] = {}
        self.asked: Counter[str] = Counter()


class _Picture(BaseHTTPRequestHandler):
    server: Pictures

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked[name] += 1
        found = self.server.instead.get(name, self.server.files.get(name, 404))
        data = b"" if isinstance(found, int) else found
        self.send_response(found if isinstance(found, int) else 200)
        for field, value in (("Content-Type", "image/png"), ("Content-Length", str(len(data)))):
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web():
    server = Pictures()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def references(push, built, hub) -> Path:
    """The dataset, pushed as references; the folder that they were made in."""
    push("push.pictures=reference")
    return built.parent / "runs/t/push"


@pytest.fixture
def addressed(references, web, shards, tmp_path) -> Path:
    """The references as they are when the pictures lay on the web: their file's name behind the address of a server of this machine."""
    folder, host = tmp_path / "addressed", f"127.0.0.1:{web.server_address[1]}"
    folder.mkdir()
    for path in references.glob("*.parquet"):
        table = pq.read_table(path)
        given = table.to_pylist()
        for row in given:
            for info in row["image_info"]:
                info["url"] = f"http://{host}/{info['ref'].rpartition('/')[2]}"
        pq.write_table(type(table).from_pylist(given, schema=table.schema), folder / path.name)
    for row in rows(shards):
        for image, info in zip(row["images"], row["image_info"], strict=True):
            web.files[info["ref"].rpartition("/")[2]] = image["bytes"]
    return folder


def hydrate(folder: Path | str, out: Path, web: Pictures | None, *more: str) -> subprocess.CompletedProcess[str]:
    allowed = [] if web is None else [*CONTACT, "--allow-host", f"127.0.0.1:{web.server_address[1]}"]
    return leaf("hydrate", folder, "--out", out, *allowed, *more)


def test_references_hold_everything_but_the_bytes(references, shards, hub):
    whole, bare = rows(shards), rows(references)
    assert [{**row, "images": None} for row in bare] == [{**row, "images": None} for row in whole]
    assert all(row["images"] == [None] * 3 for row in bare)
    picture = whole[0]["images"][0]["bytes"]
    pushed = hub.repos["me/demo"].files
    assert not [name for name, data in pushed.items() if picture in data]
    assert pq.read_schema(min(references.glob("*.parquet"))).metadata[b"leafinstruct.pictures"] == b"reference"
    assert "> **Pictures are references.**" in pushed["README.md"].decode()
    assert "`leaf hydrate me/demo --out DIR`" in pushed["README.md"].decode()
    script = """import datasets
for streaming in (False, True):
    (row, *_) = datasets.load_dataset("me/demo", split="train", streaming=streaming)
    assert row["images"] == [None, None, None], row
    assert row["image_info"][0]["sha256"]"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stderr.count("Error") == 0


def test_training_on_references_names_the_cure(references):
    with pytest.raises(SchemaError, match="its pictures are references; `leaf hydrate` fetches them"):
        next(train_rows(min(references.glob("*.parquet"))))


def test_references_go_where_one_picture_is_under_no_licence_of_the_list(push, hub):
    pushed = push("push.picture_licenses=[MIT]")
    assert pushed.pictures == "reference"
    assert pushed.why == "the pictures of 12 records are under no licence of push.picture_licenses"


def test_a_second_push_of_references_makes_and_sends_nothing(push, references, hub):
    before = {path.name: path.stat().st_mtime_ns for path in references.glob("*.parquet")}
    sums = shard_sums(references)
    assert push("push.pictures=reference").commit is None
    assert {path.name: path.stat().st_mtime_ns for path in references.glob("*.parquet")} == before
    shutil.rmtree(references)
    push("push.pictures=reference")
    assert shard_sums(references) == sums


def test_examples_and_what_tells_of_them_stay_here(push, shards, hub):
    (shards / "examples").mkdir()
    (shards / "examples/a.png").write_bytes(png())
    (shards / "croissant.json").write_text("{}")
    (shards / "README.md").write_text("# T\n\n![a house](examples/a.png) and <img alt='x' src=\"examples/a.png\" width=3>\n")
    push("push.pictures=reference")
    files = hub.repos["me/demo"].files
    assert not {name for name in files if name.startswith(("examples", "croissant"))}
    assert files["README.md"].decode().endswith("*(a picture)* and *(a picture)*\n")


def test_a_card_gets_its_notice_and_loses_it_again():
    text = "---\nlicense: mit\n---\n\n# Title\n\nText.\n# Other\n"
    noted = card(text, "me/demo")
    assert noted.count("Pictures are references") == 1
    assert noted.index("# Title") < noted.index(NOTICE.split()[1]) < noted.index("# Other")
    assert without_notice(noted) == text


def test_from_the_hub_and_the_source_files_the_shards_come_back_to_the_byte(references, shards, built, hub, tmp_path):
    done = hydrate("me/demo", tmp_path / "back", None, "--root", f"own={built.parent}/data")
    assert done.returncode == 0, done.stderr
    assert shard_sums(tmp_path / "back") == shard_sums(shards)
    assert (tmp_path / "back/README.md").read_text() == (shards / "README.md").read_text()
    assert (tmp_path / "back/missing.jsonl").read_text() == ""


def test_from_the_web_the_shards_come_back_and_a_second_run_asks_nobody(addressed, shards, web, tmp_path):
    done = hydrate(addressed, tmp_path / "back", web)
    assert done.returncode == 0, done.stderr
    assert [row["images"] for row in rows(tmp_path / "back")] == [row["images"] for row in rows(shards)]
    assert web.asked["robots.txt"] == 1
    asked = web.asked.total()
    assert hydrate(addressed, tmp_path / "back", web).returncode == 0
    assert web.asked.total() == asked


def test_pictures_that_are_gone_or_another_are_listed_and_take_their_record(addressed, shards, web, tmp_path):
    first, second, third = (row for row in rows(shards)[-3:])
    name = [row["image_info"][2]["ref"].rpartition("/")[2] for row in (first, second, third)]
    web.instead = {name[0]: 404, name[1]: png((1, 2, 3))}
    done = hydrate(addressed, tmp_path / "back", web)
    assert done.returncode == 0, done.stderr
    missing = [json.loads(line) for line in (tmp_path / "back/missing.jsonl").read_text().splitlines()]
    assert {(item["id"], item["image"], item["reason"], item["passing"]) for item in missing} == {
        (first["id"], 2, "http_404", False),
        (second["id"], 2, "changed", False),
    }
    assert {row["id"] for row in rows(shards)} - {row["id"] for row in rows(tmp_path / "back")} == {first["id"], second["id"]}
    assert "leaf: 2 records are left out, as a picture of theirs is missing" in done.stderr


def test_what_may_pass_writes_nothing_and_is_asked_again(addressed, shards, web, tmp_path):
    name = rows(shards)[0]["image_info"][0]["ref"].rpartition("/")[2]
    web.instead = {name: 500}
    done = hydrate(addressed, tmp_path / "back", web, "--tolerate", "0")
    assert done.returncode == 1
    assert "pictures could not be fetched just now (1 x http_500), more than --tolerate 0 allows" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "back").glob("*.parquet"))
    asked = web.asked.copy()
    passed = hydrate(addressed, tmp_path / "back", web, "--tolerate", "0.5")
    assert passed.returncode == 0, passed.stderr
    assert {each for each in web.asked if web.asked[each] != asked[each]} == {name}
    web.instead = {}
    assert hydrate(addressed, tmp_path / "back", web).returncode == 0
    assert len(rows(tmp_path / "back")) == len(rows(shards))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "pictures are on the web: say --contact"),
        (["--contact", "nobody"], "--contact, --allow-host: give an e-mail address"),
        (["--root", "/nowhere"], "--root /nowhere: no such folder"),
    ],
)
def test_what_is_missing_to_fetch_is_one_line(addressed, tmp_path, arguments, said):
    done = leaf("hydrate", addressed, "--out", tmp_path / "back", *arguments)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_reference_that_leads_out_of_its_root_is_not_read(references, built, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    path = min(references.glob("*.parquet"))
    table = pq.read_table(path)
    given = table.to_pylist()
    given[0]["image_info"][0]["ref"] = "../../secret.png"
    pq.write_table(type(table).from_pylist(given, schema=table.schema), folder / path.name)
    assert leaf("hydrate", folder, "--out", tmp_path / "back", "--root", built.parent / "data").returncode == 0
    (item,) = [json.loads(line) for line in (tmp_path / "back/missing.jsonl").read_text().splitlines()]
    assert item["reason"] == "unsafe_path"


FILES = st.from_regex(r"[a-zA-Z#! ./_-]{1,20}\.[a-z]{2,4}", fullmatch=True)


@given(
    st.one_of(
        st.builds(Ref, file=FILES),
        st.builds(Ref, file=FILES, offset=st.integers(0, 10**12), length=st.integers(0, 10**9)),
        st.builds(Ref, file=FILES, offset=st.integers(0, 10**12), length=st.integers(0, 10**9), member=st.just("bytes=120,4711")),
        st.builds(Ref, file=FILES, time=st.floats(0, 1e5).map(lambda time: round(time, 6))),
        st.builds(Ref, file=FILES, member=st.just("row=17,column=a b!,item=2")),
        st.builds(Ref, url=st.just("https://a.example/x#bytes=1,2!row=1")),
    )
)
def test_a_reference_is_read_as_it_was_written(ref):
    assert Ref.of(str(ref)) == ref
