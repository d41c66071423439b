"""Documents that share a row: they learn as if each stood alone, and a run shows the same rows however often
it is begun again."""

from __future__ import annotations

import itertools
import json

import numpy as np
import peft
import pytest
import torch
from backbones.tiny_backbones import tiny_chameleon, tiny_emu2, tiny_emu3
from moss.exact import close, exact
from train.conftest import COLORS, image_bytes, row, shard

from leafinstruct import moss
from leafinstruct.backbones.backbone import unadapted
from leafinstruct.errors import TrainError
from leafinstruct.moss.model import default_targets
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train.data import tokens
from leafinstruct.train.data.packing import Packed, check_attention, pack

MAKERS = {"chameleon": tiny_chameleon, "emu3": tiny_emu3, "emu2": tiny_emu2}
DOCUMENTS = [
    row(0, ["now", image_bytes(COLORS[0])]),
    row(
        1,
        [image_bytes(COLORS[1]), "then it is done", image_bytes(COLORS[2])],
        ["draw", image_bytes(COLORS[3])],
    ),
    row(2, ["done"]),
    row(3, ["it is", image_bytes(COLORS[3]), "now"], ["a red house the door"]),
    row(4, [image_bytes(COLORS[0])]),
]


def adapted(name, implementation="sdpa", **settings):
    backbone = MAKERS[name]()
    base = exact(backbone.model)
    config = unadapted(base).config
    for part in (config, getattr(config, "text_config", None)):
        if part is not None:
            part._attn_implementation = implementation
    torch.manual_seed(5)
    settings = {"r_text": 2, "r_image": 2, "alpha_text": 8, "alpha_image": 8, "init": "random", **settings}
    backbone.model = peft.get_peft_model(
        base, moss.MossConfig(target_modules=default_targets(config.model_type), **settings)
    ).eval()
    return backbone


def encoded(backbone, folder, rows, context=200):
    file = shard(folder / "a.train-00000-of-00001.parquet", rows)
    out = Artifact(folder / "tokens")
    tokens.make(backbone, "x", [file], context, out, lambda *_: None)
    return tokens.Rows(out)


def collator(name):
    return tokens.Collator(1, 12 if name == "emu2" else None)


def passed(backbone, batch):
    """Losses, and the gradients of all adapters for their sum."""
    backbone.model.zero_grad()
    inputs = {key: value for key, value in batch.items() if key not in ("labels", "lengths")}
    losses = backbone.losses(inputs, batch["labels"])
    losses.value.sum().backward()
    gradients = {
        key: value.grad.clone() for key, value in backbone.model.named_parameters() if value.grad is not None
    }
    return losses, gradients


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", MAKERS)
def test_packed_documents_learn_as_if_each_stood_alone(name, implementation, tmp_path):
    backbone = adapted(name, implementation, kernel_size=3, neighbors="raster")
    rows = encoded(backbone, tmp_path, DOCUMENTS)
    whole = Packed(rows, 2, 3, 110 if name != "emu3" else 90)
    batch = collator(name)([whole[0], whole[1]])
    assert "attention_mask" not in batch
    assert batch["lengths"].tolist() == [len(whole[0].ids), len(whole[1].ids)]
    starts = (batch["position_ids"] == 0).sum(1).tolist()
    assert max(starts) > 2, "nothing was packed"
    assert len({len(item.ids) for item in (whole[0], whole[1])}) == 2, "nothing was padded"
    losses, gradients = passed(backbone, batch)
    alone = [passed(backbone, collator(name)([rows[number]])) for number in range(len(DOCUMENTS))]
    assert losses.text.sum() + losses.image.sum() > 60 // (1 + (name == "emu3"))
    wanted = torch.cat([one.value[0] for one, _ in alone]).sort().values
    found = torch.cat([losses.value.flatten()]).sort().values
    close(found[found != 0].double(), wanted[wanted != 0].double(), torch.float32)
    assert gradients
    for key, gradient in gradients.items():
        close(gradient, sum(grad[key] for _, grad in alone), torch.float32)


@pytest.mark.parametrize("name", ["chameleon", "emu3"])
def test_an_image_that_is_cut_does_not_go_on_in_the_next_document(name):
    """Documents of other packers may end within an image, and the next may begin with one."""
    backbone = adapted(name, kernel_size=3, neighbors="raster")
    layout = backbone.image_layout(None)
    codes = [layout.codes[at].item() for at in (3, 5, 7, 9)]
    first, second = [*codes[:2]], [*codes[2:], *codes[:1]]
    ids = torch.tensor([first + second])
    positions = torch.tensor([[0, 1, 0, 1, 2]])
    with torch.no_grad():
        together = backbone.model(input_ids=ids, position_ids=positions, use_cache=False).logits
        alone = backbone.model(input_ids=torch.tensor([second]), use_cache=False).logits
    close(together[:, 2:], alone)


def test_every_document_is_shown_once_an_epoch_in_another_order(tmp_path):
    backbone = tiny_chameleon()
    rows = encoded(
        backbone,
        tmp_path,
        [row(n, ["now", image_bytes(COLORS[n % 4])], ["draw " * (n + 1)]) for n in range(40)],
    )
    numbered = {rows[n].ids.tobytes(): n for n in range(40)}

    def shown(seed, capacity=120):
        run, orders, at = Packed(rows, 10_000, seed, capacity), [], 0
        while len(orders) < 3:
            seen: list[int] = []
            while len(seen) < 40:
                item = run[at]
                assert len(item.ids) <= (capacity or 200)
                edges = (
                    [*np.flatnonzero(item.positions == 0), len(item.ids)] if capacity else [0, len(item.ids)]
                )
                seen += [numbered[item.ids[a:b].tobytes()] for a, b in itertools.pairwise(edges)]
                at += 1
            orders.append(seen)
        assert run.epochs == pytest.approx(10_000 / (run._begins[1]))
        return orders

    for capacity in (120, None):
        first = shown(7, capacity)
        assert all(sorted(order) == list(range(40)) for order in first)
        assert first[0] != first[1] != first[2]
        assert shown(7, capacity) == first
        assert shown(8, capacity) != first


def test_a_row_is_the_same_whoever_asks_first(tmp_path):
    """Going on in the middle, or in a worker of its own, reads what an uninterrupted run would."""
    import pickle

    rows = encoded(tiny_chameleon(), tmp_path, [row(n, ["now"], ["draw " * (n + 1)]) for n in range(30)])
    run = Packed(rows, 200, 1, 64, dropout=0.4)
    wanted = [run[n].ids.tolist() for n in range(200)]
    later = pickle.loads(pickle.dumps(Packed(rows, 200, 1, 64, dropout=0.4)))
    assert [later[n].ids.tolist() for n in reversed(range(200))] == wanted[::-1]
    loader = torch.utils.data.DataLoader(
        run, batch_size=4, num_workers=2, collate_fn=tokens.Collator(1, None)
    )
    lengths = [batch["input_ids"].shape[1] for batch in loader]
    assert lengths == [max(map(len, wanted[at : at + 4])) for at in range(0, 200, 4)]


def test_packing_leaves_few_tokens_empty():
    lengths = np.random.default_rng(0).integers(20, 900, 4096).astype(np.int32)
    rows = pack(lengths, 1024)
    assert sorted(number for found in rows for number in found) == list(range(4096))
    assert all(lengths[found].sum() <= 1024 for found in rows)
    assert lengths.sum() / (1024 * len(rows)) > 0.97


@pytest.mark.parametrize("name", MAKERS)
def test_without_its_prompt_a_row_is_what_guidance_compares_with(name, tmp_path):
    backbone = MAKERS[name]()
    question = ["draw a red house", image_bytes(COLORS[1])]
    rows = encoded(
        backbone, tmp_path, [row(n, ["now", image_bytes(COLORS[n % 4]), "done"], question) for n in range(60)]
    )
    always = Packed(rows, 60, 0, None, dropout=1.0)
    answers = {tuple(row.ids[row.answer :].tolist()) for row in (rows[n] for n in range(60))}
    start = [int(item) for item in backbone.encode([])]
    for n in range(60):
        item = always[n]
        assert item.ids[: len(start)].tolist() == start
        assert tuple(item.ids[len(start) :].tolist()) in answers
        assert item.loss_mask.tolist() == [0] * len(start) + [1] * (len(item.ids) - len(start))
    batch = collator(name)([always[0], always[1]])
    losses = backbone.losses(
        {key: value for key, value in batch.items() if key not in ("labels", "lengths")}, batch["labels"]
    )
    assert torch.isfinite(losses.value).all()
    whole = len(rows[0].ids)
    run = Packed(rows, 600, 0, None, dropout=0.25)
    epochs = [[len(run[n].ids) < whole for n in range(at, at + 60)] for at in range(0, 600, 60)]
    assert 0.18 < np.mean(epochs) < 0.32
    assert len({tuple(epoch) for epoch in epochs}) == 10, "each epoch has others"
    assert not any(len(Packed(rows, 60, 0, None)[n].ids) < whole for n in range(60))


def test_attention_that_would_let_documents_see_each_other_is_refused():
    backbone = adapted("chameleon")
    check_attention(backbone.model)
    unadapted(backbone.model).config._attn_implementation = "flash_attention_2"
    with pytest.raises(
        TrainError,
        match=(
            "with attention flash_attention_2 the documents of a row would attend to each other; use "
            "sdpa, or set"
        ),
    ):
        check_attention(backbone.model)


def test_reports_count_what_is_packed(tmp_path):
    encoded(tiny_chameleon(), tmp_path, DOCUMENTS)
    report = json.loads(
        Artifact(tmp_path / "tokens").file("report", "a.train-00000-of-00001", ".json").read_text()
    )
    assert report["counts"]["images"] == 6
    assert report["counts"]["image_tokens"] == 6 * 18
    assert report["counts"]["target_images"] == 5
    assert report["largest"] == 18
