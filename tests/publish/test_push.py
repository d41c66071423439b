"""`leaf push` against a Hub on this machine: what goes, what stays, what a reader sees at every moment, and
what a cut costs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from command import leaf
from making import build, put_beside, rows
from publish.conftest import TOKEN

from leafinstruct.errors import PublishError
from leafinstruct.publish.plan import LIST

pytestmark = pytest.mark.e2e


def names(files) -> list[str]:
    return [file.name for file in files]


def contents(shards) -> int:
    """Bytes of all shards; two that are alike (without a row) are one content, and the storage wants it
    once."""
    return sum(len(data) for data in {path.read_bytes() for path in shards.glob("*.parquet")})


def once(hub, method, word, trouble):
    """One request of a kind meets trouble."""
    left = [trouble]
    hub.trouble = lambda asked, path: left.pop() if left and asked == method and word in path else None


def test_a_new_dataset_is_private_whole_in_one_commit_and_loads_from_there(push, hub, shards, tmp_path):
    for name in ("SHA256SUMS", "croissant.json", "build.json"):
        put_beside(shards, name, b"{}\n")
    (shards / "secret.txt").write_text("{}\n")
    put_beside(shards, "examples/one.png", b"png")
    shown = {f"examples/{path.name}" for path in (shards / "examples").iterdir()}
    pushed = push(tag="v1")
    repo = hub.repos["me/demo"]
    parquet = {path.name for path in shards.glob("*.parquet")}
    assert len(parquet) >= 4
    assert set(repo.files) == parquet | shown | {
        "README.md",
        "SHA256SUMS",
        "croissant.json",
        "build.json",
        LIST,
    }
    assert all(repo.files[name] == (shards / name).read_bytes() for name in parquet)
    assert (repo.private, pushed.private, pushed.images) == (True, True, "bytes")
    assert repo.messages == ["initial commit", f"t@dev: {len(repo.files)} new"]
    assert repo.tags == {"v1": repo.branches["main"]} == {"v1": pushed.commit}
    assert hub.sent == contents(shards)
    assert (
        json.loads(repo.files[LIST])["files"]["README.md"]["sha256"]
        == hashlib.sha256(repo.files["README.md"]).hexdigest()
    )
    script = """import sys, json, hashlib, datasets
whole = datasets.load_dataset("me/demo", split="train")
stream = datasets.load_dataset("me/demo", split="train", streaming=True)
shown = lambda row: [row["id"], [[image.size, hashlib.sha256(image.tobytes()).hexdigest()] for image in row["images"]]]
assert [shown(row) for row in stream] == [shown(row) for row in whole]
print(json.dumps([list(whole["id"]), [len(row) for row in whole["images"]]]))"""  # noqa: E501
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout) == [[row["id"] for row in rows(shards)], [3] * 12]


def test_a_finished_push_again_sends_nothing_and_commits_nothing(push, hub):
    push()
    before = (hub.sent, hub.repos["me/demo"].branches["main"])
    pushed = push()
    assert pushed.plan.empty
    assert pushed.commit is None
    assert (hub.sent, hub.repos["me/demo"].branches["main"]) == before
    assert hub.asked["POST commit"] == 1


def test_one_changed_shard_is_the_only_one_that_is_sent(built, push, hub, shards):
    """The issue's figure, counted by the server."""
    push()
    before, sent = dict(hub.repos["me/demo"].files), hub.sent
    record = rows(shards)[0]
    (built.parent / "recipe.suppressed.jsonl").write_text(json.dumps({"id": record["id"]}) + "\n")
    build(built)
    plan = push().plan
    changed = [file for file in plan.written if file.name.endswith(".parquet")]
    assert len(changed) == 1
    assert hub.sent - sent == changed[0].size == (shards / changed[0].name).stat().st_size
    after = hub.repos["me/demo"].files
    assert [name for name in after if name.endswith(".parquet") and after[name] != before[name]] == names(
        changed
    )


def test_what_is_built_no_more_goes_in_the_same_commit_and_what_others_put_there_stays(
    built, push, hub, shards
):
    push()
    repo = hub.repos["me/demo"]
    repo.write(guide__md=b"by hand", notes=b"ours")
    build(built, "shard.max_bytes=100000")
    pushed = push("shard.max_bytes=100000")
    assert len(pushed.plan.deleted) >= 4
    assert (
        {name for name in repo.files if name.endswith(".parquet")}
        == {path.name for path in shards.glob("*.parquet")}
        == {"guide.train-00000-of-00001.parquet"}
    )
    assert (repo.files["guide.md"], repo.files["notes"]) == (b"by hand", b"ours")
    for files in list(repo.commits.values())[1:]:  # no reader saw shards of two builds
        assert len({name.rpartition("-of-")[2] for name in files if name.endswith(".parquet")}) == 1


def test_a_file_that_somebody_else_wrote_is_not_overwritten_unasked(push, hub):
    repo = hub.make("me/demo", private=True)
    repo.commit("main", {"README.md": b"# Mine"})
    with pytest.raises(
        PublishError, match=r"README\.md in this repository was not pushed by leaf; give --overwrite"
    ):
        push()
    assert (hub.sent, repo.files) == (0, {"README.md": b"# Mine"})
    push(overwrite=True)
    repo.write(README__md=b"# Edited on the Hub")
    with pytest.raises(PublishError, match=r"README\.md in this repository was not pushed by leaf"):
        push()


def test_a_shard_that_somebody_edited_is_left_when_it_is_built_no_more(built, push, hub):
    push()
    repo = hub.repos["me/demo"]
    shard = min(name for name in repo.files if name.endswith(".parquet"))
    repo.commit("main", {**repo.commits[repo.branches["main"]], shard: b"edited"})
    build(built, "shard.max_bytes=100000")
    pushed = push("shard.max_bytes=100000")
    assert repo.files[shard] == b"edited"
    assert pushed.notes == (f"not deleted, because they were changed after they were pushed: {shard}",)


def test_a_push_that_was_cut_shows_nothing_and_goes_on_where_it_was(push, hub, shards):
    """Uploads are refused after the third: a reader sees an empty repository, and the next push sends only
    the rest."""
    hub.trouble = lambda method, _: 403 if method == "PUT" and len(hub.large) == 3 else None
    with pytest.raises(
        PublishError,
        match=(
            r"--repo me/demo: the Hub rejected it: .*the token has no write access.*run the same command "
            r"again$"
        ),
    ) as caught:
        push()
    assert str(caught.value).startswith(
        "--repo me/demo: the Hub rejected it: Error while uploading 'guide.train-"
    )
    assert "\n" not in str(caught.value)
    assert "signed-secret" not in str(caught.value)
    assert hub.repos["me/demo"].files == {}
    hub.trouble = lambda *_: None
    push()
    assert hub.sent == contents(shards)


@pytest.mark.parametrize("trouble", ["cut", 500, (429, {"Retry-After": "0"})], ids=["cut", "500", "429"])
def test_trouble_that_passes_is_outlived(push, hub, trouble):
    once(hub, "PUT", "/lfs/", trouble)
    pushed = push()
    assert hub.repos["me/demo"].branches["main"] == pushed.commit


def test_a_retry_is_logged_without_the_signed_url(push, hub, caplog):
    once(hub, "PUT", "/lfs/", 500)
    push()
    assert "HTTP Error 500 thrown while requesting PUT" in caplog.text
    assert "signed-secret" not in caplog.text


@pytest.mark.parametrize("trouble", [500, 409, "cut"], ids=["500", "409", "cut"])
def test_a_commit_that_fails_for_a_moment_is_tried_again(push, hub, trouble):
    once(hub, "POST", "/commit/", trouble)
    push()
    assert hub.asked["POST commit"] == 2
    assert hub.repos["me/demo"].messages[1:] == [f"t@dev: {len(hub.repos['me/demo'].files)} new"]


def test_a_commit_whose_answer_was_lost_is_not_made_twice(push, hub):
    once(hub, "ANSWER", "/commit/", "cut")
    pushed = push()
    assert hub.asked["POST commit"] == 1
    assert pushed.commit == hub.repos["me/demo"].branches["main"]


def test_a_commit_of_somebody_else_meanwhile_is_built_upon(push, hub):
    hub.after = lambda kind: (
        hub.repos["me/demo"].write(theirs=b"x")
        if kind == "verify" and "theirs" not in hub.repos["me/demo"].files
        else None
    )
    pushed = push()
    repo = hub.repos["me/demo"]
    assert repo.branches["main"] == pushed.commit
    assert repo.files["theirs"] == b"x"
    assert hub.asked["POST commit"] == 2


def test_a_commit_of_somebody_else_to_our_files_meanwhile_stops_the_push(push, hub):
    def meanwhile(kind):
        if kind == "verify" and "README.md" not in hub.repos["me/demo"].files:
            hub.repos["me/demo"].write(README__md=b"theirs")

    hub.after = meanwhile
    with pytest.raises(PublishError, match="somebody else changed files of this dataset during the push"):
        push()
    assert hub.repos["me/demo"].files == {"README.md": b"theirs"}


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "the Hub does not accept the token: log in with `hf auth login`"),
        (403, "the token has no write access"),
    ],
    ids=["401", "403"],
)
def test_a_token_that_is_refused_is_one_line_with_the_hint(push, hub, status, hint):
    hub.trouble = lambda _, path: status if "create" in path else None
    with pytest.raises(PublishError, match=f"^--repo me/demo: the Hub rejected it: .*; {hint}") as caught:
        push()
    assert "\n" not in str(caught.value)


def test_the_token_is_sent_and_never_shown(built, hub):
    hub.trouble = lambda _, path: 403 if "create" in path else None
    done = leaf("push", built, "--repo", "me/demo")
    assert (
        done.returncode,
        done.stderr.splitlines()[-1].count("leaf: --repo me/demo: the Hub rejected it: "),
    ) == (1, 1)
    assert f"Bearer {TOKEN}" in hub.tokens
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["bad name/x", "a/b/c", "https://huggingface.co/me/demo", "me/.."])
def test_a_name_that_the_hub_does_not_take_is_refused_before_anything_is_read_or_asked(
    push, hub, shards, name
):
    for shard in shards.glob("*.parquet"):
        shard.unlink()
    with pytest.raises(PublishError, match=r"^--repo .*: is no valid name on the Hub; give ORG/NAME"):
        push(repo=name)
    assert hub.tokens == set()


def test_a_repository_that_everybody_sees_wants_to_be_named_public(push, hub):
    hub.make("me/demo", private=False)
    with pytest.raises(PublishError, match="this repository is public; give --public"):
        push()
    assert hub.sent == 0
    assert push(public=True).commit == hub.repos["me/demo"].branches["main"]


def test_public_makes_a_public_one_and_leaves_a_private_one_private(push, hub):
    assert not push(public=True, repo="me/open").private
    assert not hub.repos["me/open"].private
    hub.make("me/demo", private=True)
    pushed = push(public=True)
    assert hub.repos["me/demo"].private
    assert pushed.notes == ("me/demo is private and stays private; change this in its settings on the Hub",)


def test_what_nothing_screened_is_published_in_private_or_by_name(built, push, hub):
    with pytest.raises(PublishError) as refused:
        push("push.allow=[toy]", public=True)
    (line,) = [line for line in str(refused.value).splitlines() if line.startswith("unscreened")]
    assert line.startswith("unscreened-nsfw: nothing looked for nudity and violence in the images; ")
    assert line.endswith(", or give --allow unscreened-nsfw")
    assert hub.sent == 0
    assert push("push.allow=[toy]").commit
    assert push("push.allow=[toy]", public=True, allowed=["unscreened-nsfw"], repo="me/open").commit
    card = hub.repos["me/open"].files["README.md"].decode()
    assert (
        card.partition("\n# ")[2].splitlines()[2]
        == "> **Not screened** for nsfw: nothing in the build looked for it."
    )
    build(built, "filter.personal_data=keep")
    with pytest.raises(PublishError, match="unscreened-personal-data: nothing looked for personal data"):
        push("filter.personal_data=keep", public=True)


def test_a_tag_names_what_is_there_and_never_moves(built, push, hub):
    push(tag="v1")
    assert push(tag="v1").commit is None
    push(tag="v2")
    head = hub.repos["me/demo"].branches["main"]
    assert hub.repos["me/demo"].tags == {"v1": head, "v2": head}
    build(built, "shard.max_bytes=100000")
    push("shard.max_bytes=100000")
    with pytest.raises(PublishError, match=r"--tag v1: this tag already names another commit"):
        push("shard.max_bytes=100000", tag="v1")


def test_a_branch_is_made_from_main_and_main_stays(push, hub):
    push()
    head = hub.repos["me/demo"].branches["main"]
    hub.repos["me/demo"].write(notes=b"x")
    pushed = push(revision="next", overwrite=True)
    assert pushed.plan.empty
    assert hub.repos["me/demo"].branches["next"] == hub.repos["me/demo"].branches["main"] != head


def test_a_dry_run_lists_and_makes_nothing(built, push, hub, shards):
    push(dry_run=True)  # the sources lie elsewhere than when they were indexed, and ingest notes that
    before = {path: path.stat().st_mtime_ns for path in built.parent.rglob("*")}
    done = leaf("push", built, "--repo", "me/demo", "--dry-run")
    assert done.returncode == 0, done.stderr
    size = sum(path.stat().st_size for path in shards.glob("*.parquet"))
    assert done.stdout.splitlines()[0] == "me/demo: would be created, private, 12 records"
    listed = {
        line.split()[2]: int(line.split()[1].replace(",", ""))
        for line in done.stdout.splitlines()
        if line.startswith("  new")
    }
    assert sum(number for name, number in listed.items() if name.endswith(".parquet")) == size
    assert not [kind for kind in hub.asked if not kind.startswith(("GET", "HEAD"))]
    assert hub.repos == {}
    assert {path: path.stat().st_mtime_ns for path in built.parent.rglob("*")} == before


def test_a_dry_run_that_the_hub_refuses_speaks_of_no_upload(push, hub):
    hub.trouble = lambda *_: 403
    with pytest.raises(PublishError, match=r"a dry run uploads nothing$") as caught:
        push(dry_run=True)
    assert "is kept" not in str(caught.value)
    with pytest.raises(PublishError, match=r"uploaded files are kept; run the same command again$"):
        push()


def test_a_shard_that_differs_from_its_report_is_not_pushed(built, push, hub, shards):
    """Other bytes, whole Parquet though they are, do not take the name of those that were built: nothing is
    asked of the Hub."""
    first, second = sorted(path for path in shards.glob("*.parquet") if pq.read_metadata(path).num_rows)[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(
        PublishError, match=rf"damaged or missing: {first.name}; run `leaf build` to rebuild them$"
    ):
        push(allowed=["drift", "unfinished"])
    assert hub.asked.total() == 0


@pytest.mark.parametrize(
    "name", ["README.md", "SHA256SUMS", "croissant.json", "build.json", "examples/unknown.png"]
)
def test_a_file_beside_the_shards_that_is_not_what_was_written_does_not_go_out(push, hub, shards, name):
    (shards / name).parent.mkdir(exist_ok=True)
    (shards / name).write_bytes(b"other")
    with pytest.raises(PublishError, match=rf"damaged or missing: {name}; run `leaf build`"):
        push()
    assert hub.asked.total() == 0


def test_a_fault_of_this_machine_is_not_laid_at_the_hubs_door(push, hub, shards):
    """References are made between two talks with the Hub: what goes wrong there is reported as it is."""
    put_beside(shards, "README.md", b"\xff\xfe")
    with pytest.raises(UnicodeDecodeError):
        push("push.images=reference")


def test_a_shard_that_cannot_be_read_is_one_line_with_the_hint(push, hub, shards):
    path = min(shards.glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PublishError, match=rf"damaged or missing: {path.name}; run `leaf build`"):
        push()
    assert hub.asked.total() == 0
