"""References instead of images, and back: to the byte where all can be had, with reasons where not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command import leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from making import InlineEngine, png, put_beside, rows, shard_sums
from records.golden import FOLDERS, SHARDS, earlier_and_later
from serving import Answering, Serving

from leafinstruct.errors import PublishError, SchemaError
from leafinstruct.publish import checks, reference
from leafinstruct.publish import hydrate as room
from leafinstruct.publish.config import PushConfig
from leafinstruct.publish.reference import NOTICE, card, without_notice
from leafinstruct.records.document import Ref
from leafinstruct.records.shards import rows as train_rows
from leafinstruct.runtime.artifact import Artifact


class Images(Serving):
    """Serves files by name; `instead`: name -> bytes or a status."""

    def __init__(self) -> None:
        super().__init__(_Image)
        self.files: dict[str, bytes] = {}
        self.instead: dict[str, bytes | int] = {}
        self.asked: Counter[str] = Counter()


class _Image(Answering):
    server: Images

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked[name] += 1
        found = self.server.instead.get(name, self.server.files.get(name, 404))
        data = b"" if isinstance(found, int) else found
        self.send(found if isinstance(found, int) else 200, data, ("Content-Type", "image/png"))


@pytest.fixture
def web():
    with Images() as server:
        yield server


@pytest.fixture
def references(push, built, hub) -> Path:
    """The dataset, pushed as references; the folder that they were made in."""
    push("push.images=reference")
    return built.parent / "runs/t/push"


@pytest.fixture
def addressed(references, web, shards, tmp_path) -> Path:
    """The references as they are when the images lay on the web: their file's name behind the address of a
    server of this machine."""
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


def hydrate(
    place: Path | str, out: Path, web: Images | None = None, *roots: str, tolerate: float = 0.02
) -> dict[str, Any]:
    """`leaf hydrate`, in this process."""
    hosts = [] if web is None else [f"127.0.0.1:{web.server_address[1]}"]
    settings = room.settings(roots, "me@site.example" if web else None, hosts, tolerate)
    return room.hydrate(settings, room.shards(str(place), None), Artifact(out), InlineEngine())


def missing(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "missing.jsonl").read_text(encoding="utf-8").splitlines()]


def test_references_hold_everything_but_the_bytes(references, shards, hub):
    whole, bare = rows(shards), rows(references)
    assert [{**row, "images": None} for row in bare] == [{**row, "images": None} for row in whole]
    assert all(row["images"] == [None] * 3 for row in bare)
    image = whole[0]["images"][0]["bytes"]
    pushed = hub.repos["me/demo"].files
    assert not [name for name, data in pushed.items() if image in data]
    assert pq.read_schema(min(references.glob("*.parquet"))).metadata[b"leafinstruct.images"] == b"reference"
    assert "> **Images are references.**" in pushed["README.md"].decode()
    assert "`leaf hydrate me/demo --out DIR`" in pushed["README.md"].decode()
    script = """import datasets
for streaming in (False, True):
    (row, *_) = datasets.load_dataset("me/demo", split="train", streaming=streaming)
    assert row["images"] == [None, None, None], row
    assert row["image_info"][0]["sha256"]"""
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        ).stderr.count("Error")
        == 0
    )


def referenced(source: Path, folder: Path) -> Path:
    """A shard of references in one folder, and the images' files, as their source holds them, in `files`
    beside it."""
    (row,) = pq.read_table(source).to_pylist()
    for image, info in zip(row["images"], row["image_info"], strict=True):
        place = folder / "files" / info["ref"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(image["bytes"])
    (folder / "bare").mkdir(exist_ok=True)
    reference._without_bytes(source, folder / "bare" / source.name)
    return folder / "bare"


@pytest.mark.parametrize("version", FOLDERS)
def test_shards_of_either_schema_come_back_as_they_were_written(version, tmp_path):
    """A shard of schema 1 comes back as one of schema 1: another schema would not have the sha256 that its
    dataset was published under."""
    for source in SHARDS[version]:
        bare = referenced(source, tmp_path)
        assert pq.read_schema(bare / source.name).metadata[b"leafinstruct.schema"] == version.encode()
        assert all(row["images"] == [None] * len(row["image_info"]) for row in rows(bare))
    record = hydrate(bare, tmp_path / "back", None, str(tmp_path / "files"))
    assert (record["counts"]["rows"], record["reasons"]) == (2, {})
    for source in SHARDS[version]:
        back = tmp_path / "back" / source.name
        assert pq.read_schema(back).equals(pq.read_schema(source), check_metadata=True)
        assert pq.read_table(back).equals(pq.read_table(source))
        # another version of Arrow writes other bytes
        if pq.read_metadata(back).created_by == pq.read_metadata(source).created_by:
            assert back.read_bytes() == source.read_bytes()


def test_a_column_that_this_version_does_not_know_comes_back(tmp_path):
    (tmp_path / "whole").mkdir()
    source = earlier_and_later(tmp_path / "whole")
    hydrate(referenced(source, tmp_path), tmp_path / "back", None, str(tmp_path / "files"))
    assert pq.read_table(tmp_path / "back" / source.name).equals(pq.read_table(source))
    assert rows(tmp_path / "back")[0]["mood"] == "calm"


@pytest.mark.parametrize("version", FOLDERS)
def test_a_push_is_checked_in_either_schema(version):
    found = checks.survey(SHARDS[version], checks.Terms(PushConfig(licenses=["CC0-1.0"])))
    assert (found.records, found.images) == ((2, 7) if version == "1" else (2, 5))
    assert sorted(found.faults) == ([] if version == "1" else ["failed", "license"])


def test_training_on_references_names_the_hint(references):
    with pytest.raises(SchemaError, match="its images are references; `leaf hydrate` fetches them"):
        next(train_rows(min(references.glob("*.parquet"))))


def test_references_go_where_one_image_is_under_no_license_of_the_list(push, hub):
    pushed = push("push.image_licenses=[MIT]")
    assert pushed.images == "reference"
    assert pushed.why == "12 records have images whose license is not on push.image_licenses"


def test_a_second_push_of_references_makes_and_sends_nothing(push, references, hub):
    before = {path.name: path.stat().st_mtime_ns for path in references.glob("*.parquet")}
    sums = shard_sums(references)
    assert push("push.images=reference").commit is None
    assert {path.name: path.stat().st_mtime_ns for path in references.glob("*.parquet")} == before
    shutil.rmtree(references)
    push("push.images=reference")
    assert shard_sums(references) == sums


def test_examples_and_their_descriptions_are_not_pushed(push, shards, hub):
    put_beside(shards, "examples/a.png", png())
    put_beside(shards, "croissant.json", b"{}")
    put_beside(
        shards,
        "README.md",
        b"# T\n\n![a house](examples/a.png) and <img alt='x' src=\"examples/a.png\" width=3>\n",
    )
    push("push.images=reference")
    files = hub.repos["me/demo"].files
    assert not {name for name in files if name.startswith(("examples", "croissant"))}
    assert files["README.md"].decode().endswith("*(an image)* and *(an image)*\n")


def test_a_card_gets_its_notice_and_loses_it_again():
    text = "---\nlicense: mit\n---\n\n# Title\n\nText.\n# Other\n"
    noted = card(text, "me/demo")
    assert noted.count("Images are references") == 1
    assert noted.index("# Title") < noted.index(NOTICE.split()[1]) < noted.index("# Other")
    assert without_notice(noted) == text


@pytest.mark.parametrize(
    ("to", "command"),
    [
        (None, "`leaf hydrate me/demo --out DIR` fetches"),
        ("s3://b/v1", "`leaf hydrate FOLDER --out DIR` (FOLDER: a copy of s3://b/v1 on a disk) fetches"),
        ("/home/me/v1", "`leaf hydrate FOLDER --out DIR` (FOLDER: the folder of this card) fetches"),
    ],
)
def test_a_card_names_a_command_that_works_where_the_dataset_is(to, command):
    text = "# Title\n\nText.\n"
    noted = card(text, "me/demo", to)
    assert command in noted
    assert [line[:2] for line in noted.splitlines()[2:5]] == ["> ", "> ", "> "]
    assert without_notice(noted) == text


def test_a_bucket_is_refused_with_what_to_do():
    with pytest.raises(PublishError, match="s3://b/v1: is neither a folder nor ORG/NAME; copy it to a disk"):
        room.shards("s3://b/v1", None)


def test_from_the_hub_and_the_source_files_the_shards_come_back_to_the_byte(
    references, shards, built, tmp_path
):
    hydrate("me/demo", tmp_path / "back", None, f"own={built.parent}/data")
    assert shard_sums(tmp_path / "back") == shard_sums(shards)
    assert (tmp_path / "back/README.md").read_text() == without_notice(
        card((shards / "README.md").read_text(), "me/demo")
    )
    assert missing(tmp_path / "back") == []


def test_shards_are_hydrated_from_the_web_and_a_second_run_fetches_nothing(addressed, shards, web, tmp_path):
    hydrate(addressed, tmp_path / "back", web)
    assert [row["images"] for row in rows(tmp_path / "back")] == [row["images"] for row in rows(shards)]
    assert web.asked["robots.txt"] == 1
    asked = web.asked.total()
    hydrate(addressed, tmp_path / "back", web)
    assert web.asked.total() == asked


def test_a_run_that_was_cut_goes_on_from_what_was_fetched(addressed, shards, web, tmp_path):
    """Killed while it writes: shards that stand stay, and no image is asked for again."""
    hydrate(addressed, tmp_path / "back", web)
    wanted, asked = shard_sums(tmp_path / "back"), web.asked.total()
    part = min((pq.read_metadata(path).num_rows and path.stem) or "~" for path in shards.glob("*.parquet"))
    Artifact(tmp_path / "back").file("report", part, ".json").unlink()
    (tmp_path / f"back/{part}.parquet").unlink()
    (tmp_path / "back/record.json").unlink()
    hydrate(addressed, tmp_path / "back", web)
    assert shard_sums(tmp_path / "back") == wanted
    assert web.asked.total() == asked


def test_images_that_are_gone_or_another_are_listed_and_take_their_record(addressed, shards, web, tmp_path):
    first, second = rows(shards)[-2:]
    name = [row["image_info"][2]["ref"].rpartition("/")[2] for row in (first, second)]
    web.instead = {name[0]: 404, name[1]: png((1, 2, 3))}
    record = hydrate(addressed, tmp_path / "back", web)
    assert {
        (item["id"], item["image"], item["reason"], item["passing"]) for item in missing(tmp_path / "back")
    } == {(first["id"], 2, "http_404", False), (second["id"], 2, "changed", False)}
    assert {row["id"] for row in rows(shards)} - {row["id"] for row in rows(tmp_path / "back")} == {
        first["id"],
        second["id"],
    }
    assert (record["counts"]["left_out"], record["counts"]["rows"], record["reasons"]) == (
        2,
        10,
        {"changed": 1, "http_404": 1},
    )


def test_what_may_pass_writes_nothing_and_is_asked_again(addressed, shards, web, tmp_path):
    name = rows(shards)[0]["image_info"][2]["ref"].rpartition("/")[2]
    web.instead = {name: 500}
    with pytest.raises(
        PublishError, match=r"images could not be fetched \(1 x http_500\), more than --tolerate 0 allows"
    ):
        hydrate(addressed, tmp_path / "back", web, tolerate=0)
    assert not list((tmp_path / "back").glob("*.parquet"))
    asked = web.asked.copy()
    assert hydrate(addressed, tmp_path / "back", web, tolerate=0.5)["counts"]["left_out"] == 1
    assert {each for each in web.asked if web.asked[each] != asked[each]} == {name}
    web.instead = {}
    hydrate(addressed, tmp_path / "back", web)
    assert len(rows(tmp_path / "back")) == len(rows(shards))


def test_what_was_looked_for_in_another_folder_is_looked_for_again(references, shards, built, tmp_path):
    """`missing` is a verdict of the folder that was named, not of the image."""
    (tmp_path / "wrong").mkdir()
    hydrate(references, tmp_path / "back", None, f"own={tmp_path}/wrong")
    assert {item["reason"] for item in missing(tmp_path / "back")} == {"missing"}
    hydrate(references, tmp_path / "back", None, f"own={built.parent}/data")
    assert shard_sums(tmp_path / "back") == shard_sums(shards)


def test_shards_of_references_that_are_no_more_go_and_files_of_others_stay(
    references, shards, built, tmp_path
):
    hydrate(references, tmp_path / "back", None, f"{built.parent}/data")
    (tmp_path / "back/mine.parquet").write_bytes(b"mine")
    gone = min(references.glob("*.parquet"))
    gone.unlink()
    hydrate(references, tmp_path / "back", None, f"{built.parent}/data")
    wanted = {name: sha for name, sha in shard_sums(shards).items() if name != gone.name}
    assert {
        name: sha for name, sha in shard_sums(tmp_path / "back").items() if name != "mine.parquet"
    } == wanted
    assert (tmp_path / "back/mine.parquet").read_bytes() == b"mine"


def test_references_are_not_written_over(references):
    before = shard_sums(references)
    with pytest.raises(PublishError, match=r"is the folder of the references; give another folder$"):
        hydrate(references, references, None, "/")
    assert shard_sums(references) == before


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "me/none",
            (
                r"^me/none, which is not a folder here: cannot be downloaded from the Hub: 404 .*; there "
                r"is no such repository or revision"
            ),
        ),
        ("a/b/c", r"^a/b/c, which is not a folder here: cannot be downloaded from the Hub: Repo id must be"),
    ],
)
def test_a_place_that_is_neither_folder_nor_repository_is_one_line(hub, place, message):
    with pytest.raises(PublishError, match=message) as caught:
        room.shards(place, None)
    assert "\n" not in str(caught.value)


def test_the_command_reports_missing_images(addressed, shards, web, tmp_path):
    web.instead = {rows(shards)[-1]["image_info"][2]["ref"].rpartition("/")[2]: 410}
    host = f"127.0.0.1:{web.server_address[1]}"
    done = leaf(
        "hydrate", addressed, "--out", tmp_path / "back", "--contact", "me@site.example", "--allow-host", host
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-3:] == [
        f"leaf: 1 image missing: http_410; see {tmp_path}/back/missing.jsonl",
        "leaf: left out, because an image is missing: 1 record",
        f"leaf: 11 records with 33 images in {len(list(shards.glob('*.parquet')))} shards",
    ]
    assert done.stdout == f"{tmp_path}/back\n"


@pytest.mark.parametrize(
    ("roots", "contact", "message"),
    [
        ([], None, "images are on the web: give --contact"),
        ([], "nobody", "--contact, --allow-host: give an e-mail address"),
        (["/nowhere"], None, "--root /nowhere: no such folder"),
    ],
)
def test_what_is_missing_to_fetch_is_one_line(addressed, tmp_path, roots, contact, message):
    with pytest.raises(PublishError, match=message) as caught:
        room.hydrate(
            room.settings(roots, contact, [], 0),
            room.shards(str(addressed), None),
            Artifact(tmp_path / "b"),
            InlineEngine(),
        )
    assert "\n" not in str(caught.value)


def test_an_image_of_no_known_place_is_a_reason(references, tmp_path, built):
    """Its record left the folder that it was read from, and it never had an address."""
    folder = reworded(references, tmp_path, "ref", "elsewhere.png", url=None)
    hydrate(folder, tmp_path / "back", None, f"other={built.parent}")
    assert missing(tmp_path / "back")[0]["reason"] == "no_url"
    hydrate(folder, tmp_path / "back", None, f"own={built.parent}/data")
    assert [item["reason"] for item in missing(tmp_path / "back")] == ["missing"]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        (None, "not_a_file"),
        ("images/x.png#bytes=99999999999999999999,5", "missing"),
        ("images/x.mp4#t=99999999999999999999", "missing"),
        ("docs.jsonl#bytes=999999,5", "truncated"),
        ("docs.jsonl!row=1,column=", "missing_cell"),
        ("\0", "unsafe_path"),
    ],
)
def test_an_invalid_reference_is_a_reason(references, built, tmp_path, ref, reason):
    """What comes from a repository is anybody's."""
    hydrate(reworded(references, tmp_path, "ref", ref), tmp_path / "back", None, f"{built.parent}/data")
    assert [item["reason"] for item in missing(tmp_path / "back")] == [reason]


def test_a_row_whose_lists_do_not_belong_together_is_a_reason(references, tmp_path):
    path = next(path for path in sorted(references.glob("*.parquet")) if pq.read_metadata(path).num_rows)
    table = pq.read_table(path)
    given = table.to_pylist()
    given[0]["images"] = [None]
    (tmp_path / "odd").mkdir()
    pq.write_table(type(table).from_pylist(given, schema=table.schema), tmp_path / "odd" / path.name)
    hydrate(tmp_path / "odd", tmp_path / "back", None, str(tmp_path))
    assert missing(tmp_path / "back")[0]["reason"] == "images_differ"


def test_a_reference_that_leads_out_of_its_root_is_not_read(references, built, tmp_path):
    (tmp_path / "secret.png").write_bytes(png())
    folder = reworded(references, tmp_path, "ref", "../../secret.png")
    hydrate(folder, tmp_path / "back", None, f"{built.parent}/data")
    assert [item["reason"] for item in missing(tmp_path / "back")] == ["unsafe_path"]


def reworded(references: Path, folder: Path, key: str, value: str, **more: Any) -> Path:
    """One shard of references, whose first image says something else; `more` is said by all."""
    path = next(path for path in sorted(references.glob("*.parquet")) if pq.read_metadata(path).num_rows)
    table = pq.read_table(path)
    given = table.to_pylist()
    for row in given:
        for info in row["image_info"]:
            info.update(more)
    given[0]["image_info"][0][key] = value
    (folder / "reworded").mkdir()
    pq.write_table(type(table).from_pylist(given, schema=table.schema), folder / "reworded" / path.name)
    return folder / "reworded"


FILES = st.from_regex(r"[a-zA-Z#! ./_-]{1,20}\.[a-z]{2,4}", fullmatch=True)


@settings(max_examples=25)
@given(
    st.one_of(
        st.builds(Ref, file=FILES),
        st.builds(Ref, file=FILES, offset=st.integers(0, 10**12), length=st.integers(0, 10**9)),
        st.builds(
            Ref,
            file=FILES,
            offset=st.integers(0, 10**12),
            length=st.integers(0, 10**9),
            member=st.just("bytes=120,4711"),
        ),
        st.builds(Ref, file=FILES, time=st.floats(0, 1e5).map(lambda time: round(time, 6))),
        st.builds(Ref, file=FILES, member=st.just("row=17,column=a b!,item=2")),
        st.builds(Ref, url=st.just("https://a.example/x#bytes=1,2!row=1")),
    )
)
def test_a_reference_is_read_as_it_was_written(ref):
    assert Ref.of(str(ref)) == ref
