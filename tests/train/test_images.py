"""Images of a row: encoded once, made smaller before anything is lost, and what bad ones cost."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from backbones.tiny_backbones import tiny_chameleon, tiny_emu2, tiny_emu3
from making import published
from PIL import Image
from train.conftest import COLORS, image_bytes, lessons, row, shard
from train.test_train import told, train

from leafinstruct.errors import RecipeError, SchemaError, SourceError
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train import samples
from leafinstruct.train.config import BackboneConfig, TrainConfig
from leafinstruct.train.data import codes, contexts, tokens
from leafinstruct.train.data.encode import Encoded, Unusable, encode
from leafinstruct.train.data.images import Images

MAKERS = {"chameleon": tiny_chameleon, "emu3": tiny_emu3, "emu2": tiny_emu2}


def large(width: int, height: int, seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def big_emu3():
    """Images of up to 8 x 8 patches of 2 x 2 pixels."""
    backbone = tiny_emu3()
    backbone._grid = (8, 8)
    return backbone


def counted(backbone, monkeypatch):
    """Calls of the image encoder's own forward pass."""
    inner = backbone.model.model
    encoder = inner.vqmodel.encoder if hasattr(inner, "vqmodel") else inner.visual
    calls: list[int] = []
    encoder.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("name", MAKERS)
def test_an_image_is_encoded_once_for_all_contexts_and_texts(name, tmp_path, monkeypatch):
    backbone = MAKERS[name]()
    calls = counted(backbone, monkeypatch)
    rows = [row(n, ["now", image_bytes(COLORS[n % 2])], ["draw", image_bytes(COLORS[0])]) for n in range(6)]
    found = []
    for context, text in ((100, "now"), (200, "now"), (200, "then")):
        rows = [
            {
                **one,
                "messages": [
                    one["messages"][0],
                    {
                        **one["messages"][1],
                        "content": [{"type": "text", "text": text}, *one["messages"][1]["content"][1:]],
                    },
                ],
            }
            for one in rows
        ]
        out = Artifact(tmp_path / f"tokens-{context}-{text}")
        file = shard(tmp_path / "a.train-00000-of-00001.parquet", rows)
        tokens.make(
            backbone, "x", [file], context, out, lambda *_: None, Images(backbone, folder=tmp_path / "codes")
        )
        found.append(
            [item.ids.tolist() for item in tokens.Rows(out)]
            + [item.vectors.tolist() for item in tokens.Rows(out)]
        )
    assert len(calls) == 2, "two images, in three datasets of six rows"
    assert found[0] == found[1] != found[2]
    out = Artifact(tmp_path / "plain")
    tokens.make(backbone, "x", [file], 200, out, lambda *_: None)
    assert [item.ids.tolist() for item in tokens.Rows(out)] == found[2][:6]
    np.testing.assert_allclose([item.vectors for item in tokens.Rows(out)], found[2][6:], atol=1e-6)


def test_another_encoder_knows_nothing_of_the_first_ones_codes(tmp_path):
    backbone = tiny_chameleon()
    Images(backbone, folder=tmp_path).items(image_bytes(COLORS[0]), None)
    again = Images(backbone, folder=tmp_path)
    again.items(image_bytes(COLORS[0]), None)
    assert again.encoded == 0
    with torch.no_grad():
        backbone.model.lm_head.weight.add_(1.0)
    moved = Images(backbone, folder=tmp_path)
    moved.items(image_bytes(COLORS[0]), None)
    assert moved.encoded == 0, "the decoder is no part of what an image is"
    foreign = tiny_chameleon()
    with torch.no_grad():
        next(foreign.model.model.vqmodel.parameters()).add_(1.0)
    other = Images(foreign, folder=tmp_path)
    other.items(image_bytes(COLORS[0]), None)
    assert other.encoded == 1


@pytest.mark.parametrize("name", ["chameleon", "emu2"])
def test_half_a_record_and_a_damaged_one_are_encoded_again(name, tmp_path):
    backbone = MAKERS[name]()
    first = Images(backbone, folder=tmp_path)
    wanted = [first.items(image_bytes(color), None) for color in COLORS[:3]]
    (file,) = tmp_path.glob("*/*.codes")
    whole = file.read_bytes()
    size = len(whole) // 3
    damaged = bytearray(whole[: 2 * size + size // 2])
    damaged[size + 60] ^= 1
    file.write_bytes(damaged)
    again = Images(backbone, folder=tmp_path)
    found = [again.items(image_bytes(color), None) for color in COLORS[:3]]
    assert again.encoded == 2
    assert [[str(item) for item in one] for one in found] == [[str(item) for item in one] for one in wanted]
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["chameleon", "emu2"])
def test_any_flipped_byte_costs_its_record_and_gives_no_other_items(name, tmp_path):
    backbone = MAKERS[name]()
    first = Images(backbone, folder=tmp_path)
    wanted = [[str(item) for item in first.items(image_bytes(color), None)] for color in COLORS[:3]]
    (file,) = tmp_path.glob("*/*.codes")
    whole = file.read_bytes()
    for at in range(0, len(whole), 37 if name == "chameleon" else 401):
        for path in tmp_path.glob("*/*.codes"):
            path.unlink()
        damaged = bytearray(whole)
        damaged[at] ^= 32
        file.write_bytes(damaged)
        listed = len(list(codes.verify(tmp_path)))
        assert list(codes.verify(tmp_path)) == []
        file.write_bytes(damaged)
        again = Images(backbone, folder=tmp_path)
        assert [
            [str(item) for item in again.items(image_bytes(color), None)] for color in COLORS[:3]
        ] == wanted
        magic = at < len(codes.MAGIC)
        assert again.encoded == (3 if magic else 1), at
        if listed:  # a last record whose size grew is what a kill leaves behind
            assert listed == 1
            assert again.repaired() == {"repaired": {"encoded images": 1}}
        assert list(codes.verify(tmp_path)) == []


def test_items_under_the_key_of_another_image_are_not_its_own(tmp_path):
    backbone = tiny_chameleon()
    first = Images(backbone, folder=tmp_path)
    for color in COLORS[:2]:
        first.items(image_bytes(color), None)
    (file,) = tmp_path.glob("*/*.codes")
    one, two = (hashlib.sha256(image_bytes(color)).digest() for color in COLORS[:2])
    file.write_bytes(file.read_bytes().replace(one, b"x" * 32).replace(two, one).replace(b"x" * 32, two))
    again = Images(backbone, folder=tmp_path)
    for color in COLORS[:2]:
        again.items(image_bytes(color), None)
    assert again.encoded == 2


def test_codes_of_an_earlier_version_are_encoded_again(tmp_path):
    backbone = tiny_chameleon()
    Images(backbone, folder=tmp_path).items(image_bytes(COLORS[0]), None)
    (file,) = tmp_path.glob("*/*.codes")
    old = file.with_name("0123456789ab.codes")
    old.write_bytes(b"k" * 32 + bytes(200))
    assert [damage.file for damage in codes.verify(tmp_path)] == [old]
    assert list(codes.verify(tmp_path)) == []
    old.write_bytes(b"k" * 32 + bytes(200))
    again = Images(backbone, folder=tmp_path)
    again.items(image_bytes(COLORS[0]), None)
    assert (again.encoded, again.repaired()) == (0, {"repaired": {"encoded images": 1}})
    assert not old.exists()


def test_two_writers_share_a_folder(tmp_path):
    backbone = tiny_chameleon()
    one, two = Images(backbone, folder=tmp_path), Images(backbone, folder=tmp_path)
    one.items(image_bytes(COLORS[0]), None)
    two.items(image_bytes(COLORS[1]), None)
    one.items(image_bytes(COLORS[2]), None)
    third = Images(backbone, folder=tmp_path)
    for color in COLORS[:3]:
        third.items(image_bytes(color), None)
    assert third.encoded == 0
    assert len(list(tmp_path.glob("*/*.codes"))) == 2


@pytest.mark.parametrize(
    ("size", "budget"),
    [((16, 16), 64), ((16, 16), 20), ((32, 8), 16), ((200, 2), 30), ((2, 3000), 7), ((6, 4), 64)],
)
def test_an_image_keeps_to_its_budget_and_its_aspect(size, budget):
    backbone = big_emu3()
    images = Images(backbone, budget)
    height, width = grid = images.grid(size, budget)
    assert 1 <= height * width <= budget
    assert (2 * width, 2 * height) <= (max(2, size[0]), max(2, size[1])), "enlarged"
    if min(size) > 8:
        assert abs(np.log((width / height) / (size[0] / size[1]))) < 0.35
    found = images.items(large(*size), grid)
    assert len(found) == images.length(grid)
    assert sum(int(item) in set(backbone.codes.tolist()) for item in found) == height * width


def test_images_are_made_smaller_before_a_row_loses_anything():
    backbone = big_emu3()
    images = Images(backbone, budget=64, floor=9)
    long = row(0, ["now", large(16, 16), "then", large(16, 16, 1), "done"])
    whole = encode(backbone, published(long), 1000, images)
    assert isinstance(whole, Encoded)
    assert not whole.smaller
    assert whole.image_tokens == [64 + 8 + 7] * 2  # codes, line ends, marks with the size
    seen = set()
    for context in range(len(whole.items), 2, -1):
        found = encode(backbone, published(long), context, images)
        if isinstance(found, Unusable):
            assert found.reason == "too_long"
            break
        assert len(found.items) <= context
        if found.smaller and not found.cut:
            assert found.images == 2
            assert found.items[-1] == backbone.end
            seen.add(tuple(found.image_tokens))
        if found.cut:
            assert max(found.image_tokens, default=0) <= 9 + 3 + 7, (
                "cut before its images were as small as they may be"
            )
        assert found.needs.at(context) == ("cut" if found.cut else "smaller" if found.smaller else "whole")
    assert len(seen) == 3  # 32 and 16 patches at most, then 9


def settings(**changes):
    return TrainConfig(data="run:demo", backbone=BackboneConfig(name="emu3", weights="tiny"), **changes)


@pytest.mark.parametrize(
    ("budget", "context", "becomes", "drawn"),
    [
        (6, 60, "whole", (2, 2)),
        (None, 200, "whole", None),
        (None, 100, "smaller", (5, 5)),
        (None, 50, "smaller", (3, 3)),
        (None, 30, "cut", (3, 3)),
    ],
)
def test_a_sample_uses_the_prompt_template_and_the_image_sizes_of_its_row(
    budget, context, becomes, drawn, tmp_path, monkeypatch
):
    backbone = big_emu3()
    one = row(0, ["now", large(16, 16), "done"], ["draw", large(16, 16, 1)])
    config = settings(context=context, image_tokens=budget, image_floor=9)
    trained = encode(backbone, published(one), context, Images(backbone, budget, 9))
    assert isinstance(trained, Encoded)
    assert trained.needs.at(context) == becomes
    (sample,) = samples.choose([shard(tmp_path / "a.parquet", [one])], 1, backbone, config)
    assert backbone.encode(sample.prompt) == trained.items[: trained.answer]
    assert sample.grid == drawn
    assert [part.size for part in (*sample.question, *sample.expected) if not isinstance(part, str)] == [
        (16, 16)
    ] * 2, "shown as in the dataset"
    begin = torch.tensor([backbone.image_layout(None).begin])
    monkeypatch.setattr(
        backbone, "words", lambda out: type(backbone).words(backbone, out).index_fill(0, begin, 99.0)
    )
    said = samples.generate_answer(backbone, sample, 100, context, 0)
    side = 2 * (drawn or (8, 8))[0]
    assert {part.size for part in said if not isinstance(part, str)} == (
        {(side, side)} if becomes != "cut" else set()
    )


def test_generated_images_are_squares_within_the_budget_or_the_usual_one():
    for budget in range(1, 64):
        images, side = Images(big_emu3(), budget), int(budget**0.5)
        assert images.generated_grid(budget) == (side, side)
    assert images.generated_grid(64) is None
    prompt = ["draw", Image.new("RGB", (40, 30))]
    for make in (tiny_chameleon, tiny_emu2):  # of one shape
        images = Images(make(), 20)
        assert images.generated_grid(images.budget) is None
        assert all(
            part is given for part, given in zip(images.shaped(prompt, images.budget), prompt, strict=True)
        )


def test_a_row_whose_image_behind_the_cut_is_broken_is_no_sample(tmp_path):
    backbone = tiny_chameleon()
    broken = row(0, ["now", image_bytes(COLORS[0]), "then it is done", large(64, 64)[:4000]])
    complete = row(0, ["now", image_bytes(COLORS[0]), "then it is done", image_bytes(COLORS[0])])
    whole = encode(backbone, published(complete), 200)
    assert isinstance(whole, Encoded)
    context = len(whole.items) - 5
    assert isinstance(encode(backbone, published(broken), context), Encoded), "it can be trained on"
    null = {**row(2, ["now"]), "images": None}
    path = shard(tmp_path / "a.parquet", [broken, row(1, ["now"]), null, row(3, ["now"])])
    assert [sample.id for sample in samples.choose([path], 2, backbone, settings(context=context))] == [
        "row0001",
        "row0002",
    ]


@pytest.mark.parametrize(
    ("name", "budget", "sentence"),
    [
        ("chameleon", 15, "every image of this backbone has 16 patches, so 15 are too few"),
        ("emu2", 15, "every image of this backbone has 16 patches"),
        ("emu3", 7, "7 are more than the 6 patches of this backbone's images"),
    ],
)
def test_a_budget_that_a_backbone_cannot_keep_is_refused(name, budget, sentence):
    with pytest.raises(RecipeError, match=r"train.image_tokens: .*") as caught:
        Images(MAKERS[name](), budget)
    assert sentence in str(caught.value)
    Images(MAKERS[name](), 6 if name == "emu3" else 16)


def test_dry_run_says_what_becomes_of_the_rows(recipe, tmp_path):
    texts = [30, 400, 900, 3000]  # words of a question
    rows = [
        row(n, ["now", image_bytes(COLORS[n]), "done"], ["draw " * words]) for n, words in enumerate(texts)
    ]
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", [*rows, row(9, [])])
    lines = train(recipe(context=920), dry_run=True)
    at = next(number for number, line in enumerate(lines) if line.split()[:2] == ["context", "whole"])
    assert max(map(len, lines[at:])) <= 80
    table = {
        line.split()[0]: line.split()[1:5]
        for line in lines[at + 1 :]
        if line.split()[0].replace(",", "").isdigit()
    }
    assert table["512"] == ["2", "0", "0", "2"]
    assert table["1,024"] == ["3", "0", "0", "1"]
    assert table["4,096"] == ["4", "0", "0", "0"]
    assert list(table) == ["512", "920", "1,024", "2,048", "4,096", "8,192", "16,384"]
    assert sum(map(int, table["920"])) == 4
    assert "1 cut" in told(lines)
    assert table["920"] == ["2", "0", "1", "1"]
    assert any(line.endswith("<- this recipe") and line.split()[0] == "920" for line in lines)
    assert "images: 18 tokens in the mean, 18 the largest, including special tokens" in lines
    assert (tmp_path / "runs/.codes").is_dir()
    assert not (tmp_path / "runs/trained/train/record.json").exists()


BAD = {
    "no_answer": [row(1, []), row(2, [""]), {**row(3, ["now"]), "messages": row(3, ["now"])["messages"][:1]}],
    "undecodable": [row(4, ["now", b"no image"]), row(5, ["now", image_bytes(COLORS[0])[:50]])],
    "no_bytes": [{**row(6, ["now", b"x"]), "images": [{"bytes": None, "path": "a.png"}]}],
    "images_differ": [
        {**row(7, ["now", image_bytes(COLORS[0])]), "images": []},
        {**row(8, ["now"]), "images": row(0, [image_bytes(COLORS[0])])["images"]},
    ],
    "bad_messages": [
        {**row(9, ["now"]), "messages": [{"role": "system", "content": []}, *row(9, ["now"])["messages"]]},
        {**row(11, ["now"]), "messages": []},
    ],
    "too_long": [row(10, ["now"], ["draw " * 300])],
}


def test_every_bad_row_is_counted_and_named(tmp_path):
    backbone = tiny_chameleon()
    rows = [*lessons(2)] + [one for of in BAD.values() for one in of]
    out = Artifact(tmp_path / "tokens")
    counts = tokens.make(
        backbone, "x", [shard(tmp_path / "a.train-0.parquet", rows)], 100, out, lambda *_: None
    )
    assert {name: counts[name] for name in tokens.REASONS} == {
        name: len(BAD[name]) for name in tokens.REASONS
    }
    assert counts["rows"] == len(tokens.Rows(out)) == 2
    (report,) = out.reports()
    named = {item["id"]: item["reason"] for item in report.rejected}
    assert named == {one["id"]: reason for reason, of in BAD.items() for one in of}
    assert all(item["detail"] for item in report.rejected)
    assert contexts.lines(out, counts, 100)


def test_an_empty_shard_adds_nothing(recipe, tmp_path):
    written = recipe()
    shard(tmp_path / "runs/demo/shard/edit.train-00000-of-00001.parquet", [])
    assert told(train(written, dry_run=True)).startswith("12 rows")
    shard(tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet", [])
    with pytest.raises(SourceError, match=r"no row is usable \(the shards are empty\)"):
        train(written, dry_run=True)


def test_a_shard_that_is_cut_or_damaged_is_named(recipe, tmp_path):
    written = recipe()
    path = tmp_path / "runs/demo/shard/guide.train-00000-of-00001.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"guide.train-00000-of-00001.parquet: cannot be read as Parquet"):
        train(written, dry_run=True)
    damaged = bytearray(whole)
    for at in range(4, 400):
        damaged[at] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(
        SourceError, match=r"guide.train-00000-of-00001.parquet: is damaged after row 0 of 12"
    ):
        train(written, dry_run=True)
    table = pq.read_table(io.BytesIO(whole))
    pq.write_table(table.drop_columns(["images"]), path)
    with pytest.raises(SchemaError, match="no column images, which rows of every schema have"):
        train(written, dry_run=True)


def test_a_shard_that_changes_while_it_is_read_is_no_shard(tmp_path):
    """Whoever writes it has not finished; what was read is not kept under either content's name."""
    backbone = tiny_chameleon()
    path = shard(tmp_path / "a.train-0.parquet", lessons(3))
    real = backbone.inputs

    def writing(items):
        if path.stat().st_size and not done:
            done.append(1)
            shard(tmp_path / "b.parquet", lessons(4)).replace(path)
        return real(items)

    done: list[int] = []
    backbone.inputs = writing
    out = Artifact(tmp_path / "tokens")
    with pytest.raises(SourceError, match=r"a.train-0.parquet: changed while it was read; run again"):
        tokens.make(backbone, "x", [path], 100, out, lambda *_: None)
    assert out.parts() == []
    counts = tokens.make(backbone, "x", [path], 100, out, lambda *_: None)
    assert counts["rows"] == 4
    assert (
        json.loads(Artifact(tmp_path / "tokens").file("report", "a.train-0", ".json").read_text())["counts"][
            "rows"
        ]
        == 4
    )
