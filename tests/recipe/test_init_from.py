"""`leaf init NAME --from`: what is recognized, and that its recipe runs unchanged. Files are genuine:
Sketchbook's, libraries', real."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import build, mmc4, png, rows
from typer.testing import CliRunner, Result

from leafinstruct.cli import app
from leafinstruct.errors import LeafInstructError
from leafinstruct.ingest.draft import sniff
from leafinstruct.ingest.tables import lines
from leafinstruct.recipe import load as recipes
from leafinstruct.records import table
from leafinstruct.sketchbook.formats import write

WORDS = (
    "Fold the paper along the longer side, press the crease with a thumb and open it again so that a "
    "line shows where the wing begins."
)
PAGE = (
    "<!doctype html><title>Boat</title><h1>How to fold a boat</h1><p>{words}</p><p><img "
    "src='{image}'></p><p>{words}</p>"
)


def init(name: Path, source: Path | str, *more: str) -> Result:
    return CliRunner().invoke(app, ["init", str(name), "--from", str(source), *more])


def refusal(name: Path, source: Path | str, *more: str) -> str:
    """The message of an init that wrote nothing; it is one line."""
    done = init(name, source, *more)
    assert isinstance(done.exception, LeafInstructError), done.output
    assert not (name / "recipe.yaml").exists()
    message = str(done.exception)
    assert len(message.splitlines()) == 1
    return message


def sources(name: Path) -> list[dict[str, object]]:
    return [
        source.model_dump(exclude_unset=True)
        for source in recipes.load(name / "recipe.yaml").recipe.ingest.sources
    ]


def examples(name: Path, workdir: Path) -> int:
    build(name / "recipe.yaml", f"workdir={workdir}")
    run = recipes.load(name / "recipe.yaml").recipe.name
    return len(rows(workdir / "runs" / run / "shard"))


@pytest.fixture(scope="module")
def sketchbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sketchbook")
    drawing = write.Settings(seed=3, documents=12, videos=1, image_px=64)
    for chunk in write.chunks(drawing):
        write.write_chunk(drawing, chunk, root)
    write.collect_labels(drawing, root)
    return root


@pytest.mark.parametrize("kind", ["html", "warc", "mmc4", "obelics", "video"])
def test_a_folder_of_one_kind_gives_a_recipe_that_runs_unedited(sketchbook, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(sketchbook)
    name = tmp_path / "made"
    done = init(name, kind)
    assert done.exit_code == 0, done.output
    assert [source["kind"] for source in sources(name)] == [kind]
    written = recipes.load(name / "recipe.yaml").recipe
    assert written.rewrite.max_words
    assert written.rewrite.max_images
    assert not any(
        rule.declared.family in ("alignment", "coherence", "judge") for rule in written.filter.rules
    )
    monkeypatch.chdir(tmp_path)
    assert examples(name, tmp_path) > 0


@pytest.mark.parametrize("kind", ["html", "web.warc.gz", "mmc4", "obelics", "video"])
def test_no_sound_document_is_dropped_by_an_unedited_recipe(real, tmp_path, kind):
    name = tmp_path / "made"
    assert init(name, real / kind).exit_code == 0
    assert examples(name, tmp_path) > 0
    run = tmp_path / "runs/made"
    read = [
        page.id for path in (run / "ingest").rglob("documents-*.parquet") for page in table.documents(path)
    ]
    filtered, rewritten = (
        json.loads((run / stage / "record.json").read_text()) for stage in ("filter", "rewrite")
    )
    assert (filtered["counts"]["kept"], filtered["reasons"]) == (len(read), {})
    assert rewritten["reasons"] == {}


def test_a_folder_of_several_kinds_gives_a_source_each(sketchbook, tmp_path):
    name = tmp_path / "made"
    done = init(name, sketchbook)
    assert done.exit_code == 0, done.output
    found = sources(name)
    assert sorted(source["kind"] for source in found) == ["html", "mmc4", "obelics", "warc", "youcook2"]
    assert len({source["name"] for source in found}) == len(found)
    assert "labels.jsonl" in done.output  # reported as left out
    assert examples(name, tmp_path) > 0


def test_the_same_folder_gives_the_same_bytes(sketchbook, tmp_path):
    for name in ("one/same", "two/same"):
        assert init(tmp_path / name, sketchbook).exit_code == 0
    assert (tmp_path / "one/same/recipe.yaml").read_bytes() == (
        tmp_path / "two/same/recipe.yaml"
    ).read_bytes()


def pages(folder: Path, *names: str) -> None:
    (folder / "x").mkdir(parents=True, exist_ok=True)
    (folder / "x/a.png").write_bytes(png())
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PAGE.format(words=f"{WORDS} {number}", image="/x/a.png"), encoding="utf-8")


def test_mirrored_pages_without_an_ending_are_pages_and_parts_of_a_saved_page_are_not(tmp_path):
    pages(
        tmp_path / "www",
        "about",
        "index.php?id=3",
        "deep/er/index.html",
        "saved.html",
        "saved_files/frame.html",
        "x/page.png.html",
    )
    (tmp_path / "www/README").write_text("Plain text without any markup.")
    (tmp_path / "www/saved_files/script.js").write_text("let a = 1;")
    done = init(tmp_path / "made", tmp_path / "www")
    assert "HTML pages, 5 files" in done.output
    assert "files that a browser saved beside a page are parts of it: 1" in done.output
    build(tmp_path / "made/recipe.yaml", f"workdir={tmp_path}", until="ingest")
    read = {
        page.provenance.file
        for path in (tmp_path / "runs/made/ingest").rglob("documents-*.parquet")
        for page in table.documents(path)
    }
    assert read == {"about", "index.php?id=3", "deep/er/index.html", "saved.html", "x/page.png.html"}


def test_one_page_is_a_source(tmp_path):
    pages(tmp_path / "www", "a.html")
    assert init(tmp_path / "made", tmp_path / "www/a.html").exit_code == 0
    assert Path(str(sources(tmp_path / "made")[0]["path"])) == tmp_path / "www/a.html"


def on_the_web(folder: Path) -> Path:
    folder.mkdir(parents=True)
    record = {
        "url": "https://h.example/1",
        "text_list": [WORDS, WORDS],
        "image_info": [
            {"image_name": "a.jpg", "raw_url": "https://h.example/a.jpg", "matched_text_index": 0}
        ],
    }
    (folder / "docs.jsonl").write_text(json.dumps(record) + "\n")
    return folder


def test_images_that_are_all_on_the_web_need_a_contact(tmp_path):
    folder = on_the_web(tmp_path / "data")
    message = refusal(tmp_path / "made", folder)
    assert "all images are on the web (1 in 1 sampled document)" in message
    assert "--contact" in message
    assert init(tmp_path / "made", folder, "--contact", "me@example.org").exit_code == 0
    fetch = recipes.load(tmp_path / "made/recipe.yaml").recipe.filter.images.fetch
    assert fetch is not None
    assert fetch.contact == "me@example.org"


def test_a_recipe_that_would_keep_nothing_is_not_written(tmp_path):
    pages(tmp_path / "www", "a.html")
    (tmp_path / "www/x/a.png").unlink()
    assert "all image files are missing (1 in 1 sampled document)" in refusal(
        tmp_path / "made", tmp_path / "www"
    )
    (tmp_path / "www/a.html").write_text(f"<!doctype html><h1>Boat</h1><p>{WORDS}</p>")
    assert "no image in 1 sampled document" in refusal(tmp_path / "made", tmp_path / "www")


def test_a_contact_that_is_none_is_one_line(tmp_path):
    assert "--contact nobody: give an e-mail address" in refusal(
        tmp_path / "made", on_the_web(tmp_path / "data"), "--contact", "nobody"
    )
    assert init(tmp_path / "b", tmp_path / "nothing").exception is not None
    assert (
        CliRunner().invoke(app, ["init", str(tmp_path / "c"), "--contact", "me@example.org"]).exit_code == 2
    )


def test_some_images_on_the_web_are_counted_and_the_lines_that_fetch_them_are_there(tmp_path):
    on_the_web(tmp_path / "data/web")
    mmc4(
        tmp_path / "data/here",
        {f"https://h.example/{number}": [(f"{WORDS} {number}", png(dot=number))] * 2 for number in range(3)},
    )
    done = init(tmp_path / "made", tmp_path / "data")
    assert "images on the web: 1 of 7 in the sample, lost until filter.images.fetch is set" in done.output
    assert "#   fetch: {contact:" in (tmp_path / "made/recipe.yaml").read_text()
    assert recipes.load(tmp_path / "made/recipe.yaml").recipe.filter.images.fetch is None
    assert examples(tmp_path / "made", tmp_path) == 3


def struct(data: bytes) -> dict[str, object]:
    return {"bytes": data, "path": "a.png"}


TEXTS = [f"{WORDS} {number}" for number in range(4)]
TABLES: dict[str, tuple[pa.Table, list[dict[str, object]]]] = {
    "captioned": (
        pa.table(
            {
                "id": [str(n) for n in range(4)],
                "image": [struct(png(dot=n)) for n in range(4)],
                "caption": TEXTS,
            }
        ),
        [{"image": "image"}, {"text": "caption"}],
    ),
    "titled": (
        pa.table(
            {"title": ["How to fold"] * 4, "image": [struct(png(dot=n)) for n in range(4)], "text": TEXTS}
        ),
        [{"text": "title", "as": "heading"}, {"image": "image"}, {"text": "text"}],
    ),
    "parallel": (
        pa.table(
            {
                "images": [[struct(png(dot=n)), struct(png(dot=n + 4))] for n in range(4)],
                "steps": [[text, text[::-1]] for text in TEXTS],
            }
        ),
        [{"interleave": [{"image": "images"}, {"text": "steps"}]}],
    ),
    "marked": (
        pa.table(
            {
                "images": [[struct(png(dot=n)), struct(png(dot=n + 4))] for n in range(4)],
                "text": [f"[image_1] {t} [image_2] {t}" for t in TEXTS],
            }
        ),
        [{"text": "text", "placeholders": {"[image_{n}]": {"image": "images"}}}],
    ),
    "chats": (
        pa.table(
            {
                "images": [[struct(png(dot=n))] for n in range(4)],
                "chats": [
                    [
                        {"role": "user", "content": "<image> What is it?"},
                        {"role": "assistant", "content": text},
                    ]
                    for text in TEXTS
                ],
            }
        ),
        [{"conversation": "chats", "images": "images"}],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_one_reading_gets_its_mapping(tmp_path, name):
    content, segments = TABLES[name]
    (tmp_path / "repo/data").mkdir(parents=True)
    (tmp_path / "repo/README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: data/*.parquet\n---\n# A dataset\n"
    )
    pq.write_table(content, tmp_path / "repo/data/train-00000-of-00001.parquet")
    done = init(tmp_path / "made", tmp_path / "repo")
    assert done.exit_code == 0, done.output
    (source,) = recipes.load(tmp_path / "made/recipe.yaml").recipe.ingest.sources
    assert source.kind == "hub"
    assert (
        json.loads(
            json.dumps([entry.model_dump(by_alias=True, exclude_unset=True) for entry in source.segments])
        )
        == segments
    )
    assert examples(tmp_path / "made", tmp_path) == 4


def test_a_webdataset_gets_its_mapping(tmp_path):
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data/0.tar", "w") as archive:
        for number, text in enumerate(TEXTS):
            for ending, data in (
                ("png", png(dot=number)),
                ("json", json.dumps({"caption": text, "width": 96}).encode()),
            ):
                member = tarfile.TarInfo(f"{number:04d}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    assert init(tmp_path / "made", tmp_path / "data").exit_code == 0
    assert examples(tmp_path / "made", tmp_path) == 4


def test_a_table_whose_order_is_not_certain_is_refused_with_its_columns(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"question": text, "answer": text, "image": "a.png"}) + "\n" for text in TEXTS)
    )
    message = refusal(tmp_path / "made", tmp_path / "a.jsonl")
    assert (
        "reading order is not certain; its columns are question (text), answer (text), image (image)"
        in message
    )
    # several images, and nothing says where they belong
    two = [{"images": ["a.png", "b.png"], "text": text} for text in TEXTS]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in two))
    assert "is not certain" in refusal(tmp_path / "made", tmp_path / "b.jsonl")


def test_conversations_find_their_images_elsewhere(tmp_path):
    (tmp_path / "data/photos/train").mkdir(parents=True)
    (tmp_path / "data/photos/train/1.png").write_bytes(png())
    turns = [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": WORDS}]
    (tmp_path / "data/text").mkdir()
    (tmp_path / "data/text/llava.json").write_text(
        json.dumps([{"id": 1, "image": "train/1.png", "conversations": turns}])
    )
    assert init(tmp_path / "made", tmp_path / "data").exit_code == 0
    (source,) = sources(tmp_path / "made")
    assert (source["kind"], source["images"]) == ("conversations", str(tmp_path / "data/photos"))
    assert examples(tmp_path / "made", tmp_path) == 1


def test_vist_finds_its_photographs(tmp_path):
    (tmp_path / "data/photos").mkdir(parents=True)
    for number in range(5):
        (tmp_path / f"data/photos/7{number}.png").write_bytes(png(dot=10 * number))
    images = [{"id": f"7{number}", "url_o": f"https://h.example/7{number}.jpg"} for number in range(5)]
    reported = [
        [
            {
                "story_id": "1",
                "photo_flickr_id": f"7{number}",
                "worker_arranged_photo_order": number,
                "original_text": f"{WORDS} {number}",
            }
        ]
        for number in range(5)
    ]
    (tmp_path / "data/train.story-in-sequence.json").write_text(
        json.dumps({"images": images, "type": "sis", "annotations": reported})
    )
    assert init(tmp_path / "made", tmp_path / "data").exit_code == 0
    (source,) = sources(tmp_path / "made")
    assert (source["kind"], source["images"]) == ("vist", str(tmp_path / "data/photos"))
    assert examples(tmp_path / "made", tmp_path) == 1


def test_videos_without_words_are_named(real, tmp_path):
    (tmp_path / "data").mkdir()
    for file in ("flower.mp4", "flower.vtt", "stream-of-water.mp4"):
        (tmp_path / "data" / file).write_bytes((real / "video" / file).read_bytes())
    done = init(tmp_path / "made", tmp_path / "data")
    assert "videos: videos with subtitles, 1 file" in done.output
    assert "stream-of-water.mp4 is a video without subtitles" in done.output


def test_an_empty_folder_and_one_without_anything_readable_name_their_files_and_what_is_supported(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "it has no file; supported: pages (.html" in refusal(tmp_path / "made", tmp_path / "empty")
    (tmp_path / "other").mkdir()
    for name in ("a.docx", "b.docx", "c.pdf", "LICENSE"):
        (tmp_path / "other" / name).write_bytes(b"\x00\x01binary")
    assert "it has 2 .docx, 1 .pdf, 1 no ending" in refusal(tmp_path / "made", tmp_path / "other")
    assert "no such file or folder" in refusal(tmp_path / "made", tmp_path / "absent")
    assert "is neither a file nor a folder" in refusal(tmp_path / "made", "/dev/null")


@pytest.mark.parametrize(
    ("name", "data", "wording"),
    [
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n", "git lfs pull"),
        ("data-00000-of-00001.arrow", b"\xff\xff\xff\xff\x00\x00", "to_parquet"),
        (
            "a.jsonl",
            gzip.compress(b'{"text_list": ["a"], "image_info": []}\n', mtime=0),
            "does not end in .jsonl.gz; rename it",
        ),
        ("a.jsonl.gz", b'{"text_list": ["a"], "image_info": []}\n', "does not end in .jsonl; rename it"),
        ("a.warc", gzip.compress(b"WARC/1.0\r\n\r\n", mtime=0), "does not end in .warc.gz; rename it"),
        ("a.html.gz", gzip.compress(b"<!doctype html><p>x", mtime=0), "gunzip"),
        ("a.jsonl.gz", gzip.compress(b"x" * 99_999, mtime=0)[:40], "is damaged"),
        ("a.parquet", b"PAR1" + bytes(99), "cannot be read"),
        ("a.html", b"", "is empty"),
    ],
)
def test_what_is_nearly_readable_gets_a_hint(tmp_path, name, data, wording):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(data)
    assert wording in refusal(tmp_path / "made", tmp_path / "data")


def test_links_that_lead_out_are_left_out_and_pipes_are_not_opened(tmp_path):
    pages(tmp_path / "www", "a.html")
    (tmp_path / "out.html").write_text(PAGE)
    (tmp_path / "www/link.html").symlink_to(tmp_path / "out.html")
    os.mkfifo(tmp_path / "www/pipe")
    done = init(tmp_path / "made", tmp_path / "www")
    assert done.exit_code == 0
    assert "link.html is a link that leads out of the folder" in done.output


def test_a_look_is_bounded(tmp_path):
    pages(tmp_path / "www", *(f"{number:04d}.html" for number in range(450)))
    assert "451 files, 150 of them opened" in init(tmp_path / "made", tmp_path / "www").output


@pytest.mark.parametrize("packing", ["", ".gz", ".zip"])
def test_of_a_large_file_only_the_beginning_is_read(tmp_path, monkeypatch, packing):
    data = {
        f"https://h.example/{number}": [(f"{WORDS} {number}", png(dot=number % 60))] for number in range(60)
    }
    path = mmc4(tmp_path / "data", data)
    plain, path = path, path.with_name(path.name + packing)
    if packing == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    elif packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(plain, "docs.jsonl")
    if packing:
        plain.unlink()
    monkeypatch.setattr(sniff, "HEAD", 3_000)
    counted: list[Path] = []
    index = lines._index
    monkeypatch.setattr(lines, "_index", lambda file: counted.append(file) or index(file))
    done = init(tmp_path / "made", tmp_path / "data")
    assert done.exit_code == 0, done.output
    assert counted
    assert path not in counted
    assert "; images: 9 here" in done.output


def test_records_among_others_are_taken_file_by_file(tmp_path):
    mmc4(tmp_path / "data", {"https://h.example/1": [(WORDS, png())]})
    (tmp_path / "data/notes.jsonl").write_text('{"note": "nothing to see"}\n')
    assert init(tmp_path / "made", tmp_path / "data").exit_code == 0
    (source,) = sources(tmp_path / "made")
    assert Path(str(source["path"])) == tmp_path / "data/docs.jsonl"


def test_records_in_files_of_another_ending_are_taken_file_by_file(tmp_path):
    plain = mmc4(tmp_path / "data", {"https://h.example/1": [(WORDS, png())]})
    plain.rename(tmp_path / "data/docs.json")
    mmc4(
        tmp_path / "data",
        {"https://h.example/2": [(f"Then turn the sheet over. {WORDS}", png(dot=9))]},
        "more.jsonl",
    )
    done = init(tmp_path / "made", tmp_path / "data")
    assert done.exit_code == 0, done.output
    assert [Path(str(source["path"])) for source in sources(tmp_path / "made")] == [
        tmp_path / "data",
        tmp_path / "data/docs.json",
    ]
    assert examples(tmp_path / "made", tmp_path) == 2


def test_what_would_stop_the_build_is_not_in_the_recipe(tmp_path):
    """A packed page would: the reader of pages refuses it. Packed records among others are left out."""
    mmc4(tmp_path / "data", {"https://h.example/1": [(WORDS, png())]})
    (tmp_path / "data/more.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    done = init(tmp_path / "made", tmp_path / "data")
    assert "more.jsonl.zst is not read: run `zstd -d` on it" in done.output
    assert examples(tmp_path / "made", tmp_path) == 1
    pages(tmp_path / "www", "a.html")
    (tmp_path / "www/b.html.gz").write_bytes(gzip.compress(b"<!doctype html><p>x", mtime=0))
    assert "run `gunzip` on it" in refusal(tmp_path / "other", tmp_path / "www")


def test_a_truncated_file_is_reported_and_kept_up_to_its_end(real, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.warc.gz").write_bytes((real / "messy/truncated.warc.gz").read_bytes())
    done = init(tmp_path / "made", tmp_path / "data")
    assert "1 x truncated" in done.output
    assert recipes.load(tmp_path / "made/recipe.yaml").recipe.ingest.truncated == "keep"
    assert examples(tmp_path / "made", tmp_path) > 0


def test_a_page_with_one_image_and_few_words_is_not_dropped(tmp_path):
    pages(tmp_path / "www", "a.html")
    (tmp_path / "www/a.html").write_text(
        "<!doctype html><h1>Boat</h1><p>Fold it once, then twice.</p><img src=/x/a.png>"
    )
    assert init(tmp_path / "made", tmp_path / "www").exit_code == 0
    bounds = recipes.load(tmp_path / "made/recipe.yaml").recipe.filter
    assert (bounds.min_images, bounds.min_words) == (1, 5)
    assert examples(tmp_path / "made", tmp_path) == 1


def test_a_project_inside_its_own_folder_does_not_read_its_run(tmp_path):
    pages(tmp_path / "www", "a.html", "b.html")
    made = tmp_path / "www/made"
    assert init(made, tmp_path / "www").exit_code == 0
    assert examples(made, made) == 2
    run = made / "runs/made"
    # the run's report is a page, too
    (run / "inspect.html").write_bytes((tmp_path / "www/a.html").read_bytes().replace(b"boat", b"plane"))
    assert examples(made, made) == 2
    again = init(tmp_path / "again", tmp_path / "www")
    assert "HTML pages, 2 files;" in again.output
    assert [source["kind"] for source in sources(tmp_path / "again")] == ["html"]
    inner = init(tmp_path / "inner", run / "shard")  # a run that is named is read
    assert inner.exit_code == 0, inner.output
    assert {source["kind"] for source in sources(tmp_path / "inner")} == {"hub"}


def test_the_figures_of_a_sample_are_its_own(tmp_path):
    pages(tmp_path / "www", "a.html", "b.html")
    assert (
        "2 sampled documents, 2 with images and 0 with two or more; 59 words;"
        in init(tmp_path / "one", tmp_path / "www").output
    )
    (tmp_path / "www/b.html").write_text(PAGE.format(words=WORDS[:31], image="/x/a.png"))
    assert "; 17 to 59 words, median 38;" in init(tmp_path / "two", tmp_path / "www").output


def test_an_existing_folder_is_left_alone_and_a_killed_init_runs_again(tmp_path):
    pages(tmp_path / "www", "a.html")
    (tmp_path / "made/prompts").mkdir(parents=True)  # what an init that was killed leaves
    assert init(tmp_path / "made", tmp_path / "www").exit_code == 0
    before = (tmp_path / "made/recipe.yaml").read_bytes()
    done = init(tmp_path / "made", tmp_path / "www")
    assert "exists and is not empty" in str(done.exception)
    assert (tmp_path / "made/recipe.yaml").read_bytes() == before


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@given(name=NAMES)
@example("a 'b' \"c\": #d")
@example("- x\n  kind: y\n")
@example("~")
@example("\x85")
@example("{n} [1] *?\u2028\x85\ufeff\x7f\t\\")
@settings(max_examples=15)
def test_any_path_comes_back_from_the_recipe(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("names")
    pages(root / "in" / name, "a.html")
    here = Path.cwd()
    os.chdir(root)
    try:
        for made, source in ((root / "one", root / "in" / name), (Path("two/deep"), f"in/{name}")):
            done = init(made, source)
            assert done.exit_code == 0, done.output
            assert [entry["path"] for entry in sources(made)] == [str(root / "in" / name)]
            text = (made / "recipe.yaml").read_text(encoding="utf-8")
            assert len(yaml.safe_load(text)["ingest"]["sources"]) == 1
    finally:
        os.chdir(here)
