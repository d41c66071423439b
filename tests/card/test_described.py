"""What lies beside the shards: read by those who would read it (datasets, huggingface_hub, a Markdown
renderer, mlcroissant), written by no page."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard
from making import build, mmc4, png, recipe, rows
from markdown_it import MarkdownIt
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

HARM = (
    "\n---\nlicense: mit\n---\n# Mine <script>alert(1)</script> ![p](https://evil.example/p.png) {{ "
    "recipe }} {% raw %} ${x} "
    "[click](javascript:alert(1)) `code` | a | b | https://evil.example www.evil.example \\(x\\) "
    "$$y$$ <!-- @everyone"
)
HEADINGS = [
    "t@dev",
    "What is in it",
    "Licenses",
    "Examples",
    "guide",
    "Questions and answers",
    "How it was built",
    "Rules, models, prompts",
    "Scores",
]


def image_bytes(number: int) -> bytes:
    """A PNG with a comment, a profile and a payload behind its end, none of which may get into the card's
    images."""
    buffer, note = io.BytesIO(), PngInfo()
    note.add_text("Comment", "SECRET-PAYLOAD")
    colors = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.open(io.BytesIO(png((40 * number % 200, 90, 30), (400, 200), dot=number))).save(
        buffer, "PNG", pnginfo=note, icc_profile=colors
    )
    return buffer.getvalue() + b"SECRET-PAYLOAD"


def sources(folder: Path, licenses: dict[str, str | None], text: str, pages: int = 3) -> list[dict[str, Any]]:
    """An MMC4 source for each license; the pages of one differ in their words and images."""
    found = []
    for at, (name, license) in enumerate(licenses.items()):
        steps = {
            f"https://{name}.example/{page}?q=<b>&x='\"": [
                (f"Put block {page} of {name} on the table. {text}", image_bytes(10 * at + page)),
                (
                    f"Then turn it round: {' '.join(f'{name}{page}word{word}' for word in range(60))}.",
                    image_bytes(100 + 10 * at + page),
                ),
            ]
            for page in range(pages)
        }
        mmc4(folder / name, steps)
        found.append({"kind": "mmc4", "name": name, "path": name, "license": license})
    return found


def written(folder: Path, licenses: dict[str, str | None], text: str = "It is red.", **sections: Any) -> Path:
    return recipe(
        folder,
        part_size=2,
        ingest={"sources": sources(folder, licenses, text)},
        filter={
            "min_words": 1,
            "alignment": {"model": "leaf:tiny-clip-1", "allow_toy": True},
            "rules": [
                {"score": "text.words", "min": 5},
                {"score": "duplicate.text", "max": 0},
                {"score": "image.side", "min": 64},
            ],
        },
        **{"rewrite": {"tasks": ["guide"]}, "shard": {"splits": {"train": 0.5, "test": 0.5}}} | sections,
    )


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shard folder of a dataset of three licenses, one of them hostile, and of none; every page writes
    HARM."""
    folder = tmp_path_factory.mktemp("mixed")
    build(
        written(
            folder,
            {"open": "CC-BY-4.0", "closed": "CC-BY-NC-4.0", "hostile": f"Mine: '\"{HARM}", "silent": None},
            HARM,
        )
    )
    yield folder / "runs/t/shard"
    shutil.rmtree(folder)


def front(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    found: dict[str, Any] = yaml.safe_load(text[4:].split("\n---\n", 1)[0])
    return found


def test_the_front_matter_is_ours_and_the_hubs_library_reads_it(mixed):
    fields = DatasetCard.load(mixed / "README.md").data.to_dict()
    assert fields == front(mixed)
    assert fields["license"] == "other"
    assert fields["license_name"] == "mixed"
    assert "CC-BY-NC-4.0: 3 records, 6 images; " in fields["license_details"]
    assert fields["license_details"].endswith("none stated: 3 records, 6 images")
    assert "\n" not in fields["license_details"]
    assert list(front(mixed)) == [
        *(
            "pretty_name",
            "license",
            "license_name",
            "license_details",
            "language",
            "task_categories",
            "tags",
            "size_categories",
        ),
        *("dataset_info", "configs"),
    ]
    assert fields["size_categories"] == ["n<1K"]
    assert fields["language"] == ["en"]
    assert fields["task_categories"] == ["text-to-image"]


def test_each_configuration_loads_from_the_folder(mixed, tmp_path, caplog):
    """Without a word of doubt: datasets only warns of what it does not understand in a card."""
    from datasets import get_dataset_config_names, load_dataset

    assert sorted(get_dataset_config_names(str(mixed))) == ["default", "guide"]
    wanted = {row["id"] for row in rows(mixed)}
    for config in ("default", "guide"):
        data = load_dataset(str(mixed), config, cache_dir=str(tmp_path / config))
        contents = next(info for info in front(mixed)["dataset_info"] if info["config_name"] == config)
        assert [(split, len(part)) for split, part in data.items()] == [
            (part["name"], part["num_examples"]) for part in contents["splits"]
        ]
        assert {row for part in data.values() for row in part["id"]} == wanted
        assert data["train"][0]["images"][0].size == (400, 200)
        assert contents["download_size"] == sum(path.stat().st_size for path in mixed.glob("*.parquet"))
        assert contents["dataset_size"] == sum(part["num_bytes"] for part in contents["splits"])
    assert not caplog.records


def test_no_page_and_no_license_writes_the_card(mixed):
    """Rendered with HTML on, as the Hub's renderer has it: our headings, our images, no link, no HTML, no
    formula."""
    text = (mixed / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert not [token for token in (*tokens, *inline) if token.type in ("html_block", "link_open", "hr")]
    # ours, between the lines of a text
    assert {token.content for token in inline if token.type == "html_inline"} <= {"<br>"}
    shown = [token.attrs["src"] for token in inline if token.type == "image"]
    assert len(shown) == 2
    assert all(str(place).startswith("examples/") for place in shown)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert [heading.replace("\\", "") for heading in headings] == [
        *HEADINGS,
        "Known limits",
        "Build it again",
    ]
    plain = "\n".join(child.content for child in inline if child.type in ("text", "text_special"))
    assert "# Mine <script>alert(1)</script>" in "".join(plain.splitlines())
    assert "{{ recipe }} {% raw %}" in plain  # the page's braces are words, no template
    assert "\\\\(" not in text
    assert "$$" not in text.split("```yaml")[0].replace("\\$", "")


def test_only_examples_with_open_licenses_are_shown_and_encoded_again(mixed):
    text = (mixed / "README.md").read_text(encoding="utf-8")
    contents = text.split("## Examples")[1].split("## How it was built")[0]
    assert "of open, CC-BY-4.0, https\\://open.example/" in contents
    files = sorted((mixed / "examples").iterdir())
    assert len(files) == 2
    for path in files:
        assert f"(examples/{path.name})" in contents
        data = path.read_bytes()
        assert b"SECRET" not in data
        with Image.open(path) as image:
            assert (image.format, image.size, image.info) == ("PNG", (256, 128), {})


@pytest.mark.parametrize("licenses", [{"a": None}, {"a": "CC-BY-ND-4.0", "b": "all rights reserved"}])
def test_nothing_is_shown_where_no_license_allows_it(tmp_path, licenses):
    build(written(tmp_path, licenses))
    folder = tmp_path / "runs/t/shard"
    assert "## Examples" not in (folder / "README.md").read_text(encoding="utf-8")
    assert not list(folder.glob("examples/*"))
    assert front(folder)["license"] == ("unknown" if licenses == {"a": None} else "other")


def test_images_that_are_no_longer_shown_are_deleted(tmp_path):
    build(written(tmp_path, {"a": "MIT"}))
    folder = tmp_path / "runs/t/shard"
    assert front(folder)["license"] == "mit"
    assert len(list(folder.glob("examples/*"))) == 2
    build(written(tmp_path, {"a": "CC-BY-NC-4.0"}))
    assert not list(folder.glob("examples/*"))
    assert front(folder)["license"] == "cc-by-nc-4.0"


def test_build_json_counts_what_is_in_the_files(mixed):
    contents = json.loads((mixed / "build.json").read_text(encoding="utf-8"))
    published = rows(mixed)
    assert {shard["name"]: shard["sha256"] for shard in contents["shards"]} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in mixed.glob("*.parquet")
    }
    assert sum(shard["rows"] for shard in contents["shards"]) == len(published) == 12
    assert contents["rows"]["silent"] == {"records": 3, "images": 6}
    assert {entry["license"]: entry["images"] for entry in contents["licenses"]}[None] == 6
    assert contents["stages"]["filter"]["counts"]["kept"] == 12
    sides = [score["value"] for row in published for score in row["scores"] if score["name"] == "image.side"]
    assert contents["scores"]["image.side"]["published"]["cells"] == {"ok": len(sides)}
    assert contents["scores"]["image.side"]["published"]["50%"] == 200
    assert contents["scores"]["image.side"]["level"] == "image"
    assert contents["scores"]["text.words"]["level"] == "document"


def test_build_json_holds_the_recipe_but_no_path_and_no_time(mixed):
    text = (mixed / "build.json").read_text(encoding="utf-8")
    contents = json.loads(text)
    assert [rule for rule in contents["recipe"]["filter"]["rules"] if rule["score"] == "duplicate.text"] == [
        {"score": "duplicate.text", "max": 0}
    ]
    assert str(mixed.parents[3]) not in text
    assert "path" not in contents["recipe"]["ingest"]["sources"][0]
    assert not {"seconds", "time", "date", "workdir", "mtime"} & {key for key, _ in _leaves(contents)}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from _leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key)


def test_the_recipe_in_build_json_builds_the_same_dataset(tmp_path, mixed):
    """With the paths of its sources, elsewhere, later, with other pace and prices: every published file is
    the same."""
    contents = json.loads((mixed / "build.json").read_text(encoding="utf-8"))["recipe"]
    for source in contents["ingest"]["sources"]:
        shutil.copytree(mixed.parents[2] / source["name"], tmp_path / source["name"])
        source["path"] = source["name"]
    (tmp_path / "again.yaml").write_text(
        yaml.safe_dump({**contents, "workdir": "elsewhere"}, sort_keys=False), encoding="utf-8"
    )
    build(
        tmp_path / "again.yaml",
        "llm.max_in_flight=3",
        "llm.price={input_per_million: 1, output_per_million: 2}",
    )
    folder = tmp_path / "elsewhere/runs/t/shard"
    names = sorted(
        path.relative_to(mixed)
        for path in mixed.rglob("*")
        if path.suffix in (".md", ".parquet", ".png") or path.name in ALSO
    )
    assert len(names) == 7
    for name in names:
        assert (folder / name).read_bytes() == (mixed / name).read_bytes(), name


ALSO = ("build.json", "croissant.json")


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_takes_the_croissant_and_reads_the_records(mixed):
    import mlcroissant

    data = mlcroissant.Dataset(mixed / "croissant.json")
    about = data.metadata
    assert not about.ctx.issues.errors
    assert about.name == "t"
    assert [work.name for work in about.license][-1] == "unknown"
    assert {str(work.url) for work in about.license if work.url} == {
        f"https://spdx.org/licenses/{name}.html" for name in ("CC-BY-4.0", "CC-BY-NC-4.0")
    }
    assert about.data_collection_type == ["Secondary Data Analysis"]
    assert "12 documents with 24 images" in about.data_collection
    assert any(sentence.startswith("Toy scores") for sentence in about.data_limitations)
    assert "text.words: at least 5; 0 of 12 failed" in about.data_preprocessing_protocol
    contents = {record["examples/id"].decode(): record for record in data.records("examples")}
    for row in rows(mixed):
        record = contents.pop(row["id"])
        assert record["examples/source"].decode() == row["source"]
        assert [image.size for image in record["examples/images"]] == [(400, 200)] * 2
        assert [info["examples/image_info/sha256"].decode() for info in record["examples/image_info"]] == [
            info["sha256"] for info in row["image_info"]
        ]
        assert [
            info["examples/image_info/owner_found"].decode() for info in record["examples/image_info"]
        ] == [info["owner_found"] for info in row["image_info"]]
        assert {"examples/title", "examples/page_url", "examples/language"} < set(record)
    assert not contents


def test_card_and_croissant_describe_every_column_of_the_documents_origin(mixed):
    fields = json.loads((mixed / "croissant.json").read_text(encoding="utf-8"))["recordSet"][0]["field"]
    described = {field["name"]: field.get("description") for field in fields}
    assert {"page_url", "title", "language"} <= {name for name, text in described.items() if text}
    (info,) = (field["subField"] for field in fields if field["name"] == "image_info")
    assert {"image_info/owner", "image_info/owner_found"} <= {
        field["name"] for field in info if field.get("description")
    }
    card = (mixed / "README.md").read_text(encoding="utf-8")
    assert all(
        f"{name}" in card
        for name in ('row["title"]', 'row["page_url"]', 'row["language"]', "`image_info.owner_found`")
    )


def test_a_file_that_changed_is_not_what_the_croissant_names(mixed):
    contents = json.loads((mixed / "croissant.json").read_text(encoding="utf-8"))
    files = {
        entry["contentUrl"]: entry for entry in contents["distribution"] if entry["@type"] == "cr:FileObject"
    }
    assert {name: (entry["sha256"], entry["contentSize"]) for name, entry in files.items()} == {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size} B")
        for path in mixed.glob("*.parquet")
    }
