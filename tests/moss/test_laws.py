"""The laws of the adapter, on tiny random backbones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moss.exact import close, exact
from moss.tiny import BOI, EOI, SIDE, arguments, chameleon, emu2, emu3, image, page, words
from torch import Tensor
from torch.nn.functional import conv2d, linear

from leafinstruct import moss
from leafinstruct.moss.layer import MossLayer
from leafinstruct.moss.layout import Layout, neighborhood
from leafinstruct.moss.running import Pass, Running

MODES: list[dict[str, Any]] = [
    {"conv_mode": "full_space"},
    {"conv_mode": "rank"},
    {"conv_mode": "depthwise"},
    {"conv_mode": "full_space", "kernel_size": 3},
    {"neighbors": "raster"},
    {"neighbors": "raster", "conv_mode": "depthwise", "kernel_size": 3},
    {"neighbors": "shuffled", "conv_mode": "rank"},
    {"method": "moe_lora"},
    {"method": "lora"},
]
ROUTED = MODES[:-1]
CONVOLVING = MODES[:-2]
SIZES = {"r_text": 3, "r_image": 4}


def name_of(mode: dict[str, Any]) -> str:
    return "-".join(map(str, mode.values()))


every = pytest.mark.parametrize("mode", MODES, ids=name_of)
routed = pytest.mark.parametrize("mode", ROUTED, ids=name_of)
convolving = pytest.mark.parametrize("mode", CONVOLVING, ids=name_of)
backbones = pytest.mark.parametrize("backbone", [chameleon, emu3, emu2])


def adapted(backbone: Any, mode: dict[str, Any], init: str = "random", **settings: Any) -> Any:
    base = exact(backbone())
    torch.manual_seed(1)
    return peft.get_peft_model(base, moss.MossConfig(**SIZES, **mode, init=init, **settings)).eval()


def hidden(model: Any, ids: Tensor, **kwargs: Any) -> Tensor:
    return model(**arguments(model, ids), output_hidden_states=True, **kwargs).hidden_states[-1]


def lines(backbone: Any) -> bool:
    return backbone is emu3


@every
@backbones
def test_it_starts_as_the_base_and_off_it_is_the_base(backbone, mode):
    ids = page(0, lines(backbone))
    wanted = hidden(exact(backbone()), ids)
    assert torch.equal(hidden(adapted(backbone, mode, init="identity"), ids), wanted)
    model = adapted(backbone, mode)
    assert (hidden(model, ids) - wanted).abs().max() > 1e-3
    with model.disable_adapter():
        assert torch.equal(hidden(model, ids), wanted)


@pytest.mark.parametrize("conv_mode", ["full_space", "rank", "depthwise"])
@pytest.mark.parametrize(
    ("shape", "kernel"), [("top_left", 2), ("top_left", 3), ("raster", 2), ("symmetric", 3)]
)
def test_the_image_half_is_torchs_convolution(conv_mode, shape, kernel):
    """Each image alone through conv2d, on grids of different shapes."""
    torch.manual_seed(0)
    d, rank, out = 6, 3, 5
    config = moss.MossConfig(
        r_text=2,
        r_image=rank,
        alpha_image=rank,
        kernel_size=kernel,
        neighbors=shape,
        conv_mode=conv_mode,
        init="random",
    )
    base = torch.nn.Linear(d, out).double()
    layer = MossLayer(base, "x", Running())
    layer.update_layer("default", config)
    shapes = [(3, 4), (1, 5), (2, 2)]
    positions = [[-1] * 3]
    for number, (height, width) in enumerate(shapes):
        positions += [[number, y, x] for y in range(height) for x in range(width)] + [[-1] * 3]
    x = torch.randn(1, len(positions), d, dtype=torch.float64)
    with layer.moss_running.within(Pass(Layout(torch.tensor(positions)[None]))):
        found = layer(x) - base(x)

    offsets, reach = neighborhood(shape, kernel).offsets, kernel - 1
    size = 2 * reach + 1
    down = layer.moss_image_A["default"]
    if conv_mode == "full_space":
        weight = torch.zeros(rank, d, size, size, dtype=torch.float64)
        for tap, (dy, dx) in enumerate(offsets):
            weight[:, :, reach + dy, reach + dx] = down.view(len(offsets), rank, d)[tap]
    else:
        kernels = layer.moss_kernel["default"]
        weight = torch.zeros(rank, 1 if conv_mode == "depthwise" else rank, size, size, dtype=torch.float64)
        for tap, (dy, dx) in enumerate(offsets):
            weight[:, :, reach + dy, reach + dx] = (
                kernels[tap][:, None] if conv_mode == "depthwise" else kernels[tap]
            )
    at = 1
    for height, width in shapes:
        patches = x[0, at : at + height * width]
        grid = patches if conv_mode == "full_space" else linear(patches, down)
        grid = grid.T.reshape(1, -1, height, width)
        wanted = (
            conv2d(grid, weight, padding=reach, groups=rank if conv_mode == "depthwise" else 1)
            .reshape(rank, -1)
            .T
        )
        close(found[0, at : at + height * width], linear(wanted, layer.moss_image_B["default"]))
        at += height * width + 1


@every
@backbones
def test_no_output_depends_on_what_comes_later(backbone, mode):
    model, ids = adapted(backbone, mode), page(0, lines(backbone))
    torch.manual_seed(0)
    wanted = hidden(model, ids)
    for place in torch.randperm(ids.shape[1])[:12].tolist():
        other = ids.clone()
        other[0, place] = (
            140
            if ids[0, place] >= 130
            else 4 + (int(ids[0, place]) - 3) % 64
            if ids[0, place] < 68
            else ids[0, place]
        )
        close(hidden(model, other)[:, :place], wanted[:, :place])


def test_symmetric_neighbors_see_later_patches_and_refuse_labels_on_patches():
    model, ids = adapted(chameleon, {"neighbors": "symmetric", "kernel_size": 3}), page(0)
    other = ids.clone()
    other[0, 9] = 4 + (int(ids[0, 9]) - 3) % 64
    assert (hidden(model, other)[:, 8] - hidden(model, ids)[:, 8]).abs().max() > 1e-4
    with pytest.raises(ValueError, match="symmetric neighbors include later patches"):
        model(input_ids=ids, labels=ids)
    model(input_ids=ids, labels=torch.where(ids < 68, -100, ids))


@every
@backbones
def test_a_cut_image_is_the_beginning_of_the_whole_one(backbone, mode):
    model, ids = adapted(backbone, mode), page(0, lines(backbone))
    whole = hidden(model, ids)
    for cut in (5, 9, 14):
        close(hidden(model, ids[:, :cut]), whole[:, :cut])


@pytest.mark.matrix(2)
@pytest.mark.e2e
@every
@backbones
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_with_a_cache_in_any_chunks_it_is_the_same(backbone, mode, data):
    model, ids = adapted(backbone, mode), torch.cat([page(0, lines(backbone)), page(1, lines(backbone))])
    cuts = sorted(data.draw(st.sets(st.integers(1, ids.shape[1] - 1), max_size=12)))
    with torch.no_grad():
        whole = hidden(model, ids)
        cache, parts = None, []
        for start, stop in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
            out = model(
                **arguments(model, ids[:, start:stop]),
                past_key_values=cache,
                use_cache=True,
                output_hidden_states=True,
            )
            cache = out.past_key_values
            parts.append(out.hidden_states[-1])
    close(torch.cat(parts, 1), whole)


@routed
def test_generation_is_that_without_a_cache(mode):
    model, ids = adapted(emu3, mode), page(0, lines=True)[:, :9]  # in the middle of an image
    for how in (
        {"do_sample": False},
        {"do_sample": False, "num_beams": 3},
        {"do_sample": True, "temperature": 1.5},
    ):
        found = []
        for use_cache in (True, False):
            torch.manual_seed(5)
            given_ = ids.repeat(2, 1) if how == {"do_sample": False} else ids
            found.append(
                model.generate(
                    input_ids=given_,
                    attention_mask=torch.ones_like(given_),
                    max_new_tokens=14,
                    min_new_tokens=14,
                    use_cache=use_cache,
                    bad_words_ids=[[word] for word in range(68, 200) if word != 120],
                    **how,
                )
            )
        assert torch.equal(*found), how
        assert found[0].shape[1] > ids.shape[1] + 5


@routed
@backbones
def test_padding_on_either_side_changes_nothing(backbone, mode):
    model = adapted(backbone, mode)
    short, long = page(0, lines(backbone)), page(1, lines(backbone))
    long = torch.cat([long, words(torch.Generator().manual_seed(9), 5)[None]], dim=1)
    alone = hidden(model, short)
    pad = torch.full((1, long.shape[1] - short.shape[1]), 1)
    for side in ("left", "right"):
        row = torch.cat([pad, short] if side == "left" else [short, pad], dim=1)
        mask = torch.ones(2, row.shape[1], dtype=torch.long)
        mask[0, : pad.shape[1]] = 0 if side == "left" else 1
        mask[0, short.shape[1] :] = 0 if side == "right" else 1
        ids = torch.cat([row, long])
        places = (mask.cumsum(1) - 1).clamp(min=0)
        found = hidden(model, ids, attention_mask=mask, position_ids=places)[:1]
        close(found[:, -short.shape[1] :] if side == "left" else found[:, : short.shape[1]], alone)


@convolving
def test_images_and_text_do_not_leak_into_a_convolution(mode):
    """One layer, so that attention has no part in it: a patch's update depends on its own image alone."""
    model, ids = adapted(chameleon, mode), page(0)
    layer = next(module for module in model.modules() if isinstance(module, MossLayer))
    inner = model.base_model
    layout = Layout(inner._patches(inner.peft_config["default"]).positions(ids))
    x = torch.randn(1, ids.shape[1], layer.in_features, dtype=torch.float64)
    first, second = slice(4, 4 + SIDE * SIDE), slice(4 + SIDE * SIDE + 4, 4 + 2 * SIDE * SIDE + 4)
    assert (ids[0, first] < 68).all()
    assert (ids[0, second] < 68).all()
    other = x.clone()
    other[:, first] += 1.0
    other[:, :3] -= 1.0
    with layer.moss_running.within(Pass(layout)):
        wanted, found = layer(x), layer(other)
    assert torch.equal(found[:, second], wanted[:, second])
    assert (found[:, first] - wanted[:, first]).abs().max() > 0.01


@every
@backbones
def test_save_load_and_a_second_adapter(backbone, mode, tmp_path):
    ids = page(0, lines(backbone))
    model = adapted(backbone, mode)
    wanted = hidden(model, ids)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["leafinstruct_format"] == 2
    again = peft.PeftModel.from_pretrained(exact(backbone()), tmp_path).eval()
    assert torch.equal(hidden(again, ids), wanted)
    assert torch.equal(hidden(moss.load(exact(backbone()), tmp_path).eval(), ids), wanted)
    again.add_adapter(
        "other",
        moss.MossConfig(r_text=2, r_image=2, conv_mode="depthwise", neighbors="raster", init="random"),
    )
    assert torch.equal(hidden(again, ids), wanted)
    again.set_adapter("other")
    other = hidden(again, ids)
    assert (other - wanted).abs().max() > 1e-3
    again.set_adapter("default")
    assert torch.equal(hidden(again, ids), wanted)
    again.delete_adapter("other")
    assert torch.equal(hidden(again, ids), wanted)


FORMAT_1 = {"neighbors": "taps", "neighbors_seed": "taps_seed"}


def as_format_1(folder: Path) -> None:
    """Rewrite an adapter's config as format 1 wrote it; the weights have the same names."""
    path = folder / "adapter_config.json"
    values = {FORMAT_1.get(name, name): value for name, value in json.loads(path.read_text()).items()}
    path.write_text(json.dumps({**values, "leafinstruct_format": 1}))


def test_an_adapter_of_format_1_loads_with_the_same_outputs(tmp_path):
    mode = {"neighbors": "shuffled", "neighbors_seed": 5, "kernel_size": 3}
    model, ids = adapted(chameleon, mode), page(0)
    wanted = hidden(model, ids)
    assert not torch.equal(wanted, hidden(adapted(chameleon, {**mode, "neighbors_seed": 6}), ids))
    model.save_pretrained(tmp_path / "old")
    as_format_1(tmp_path / "old")
    assert '"taps_seed": 5' in (tmp_path / "old" / "adapter_config.json").read_text()

    again = peft.PeftModel.from_pretrained(exact(chameleon()), tmp_path / "old").eval()
    assert torch.equal(hidden(again, ids), wanted)
    assert torch.equal(hidden(moss.load(exact(chameleon()), tmp_path / "old").eval(), ids), wanted)
    for config in (again.peft_config["default"], peft.PeftConfig.from_pretrained(tmp_path / "old")):
        assert (config.neighbors, config.neighbors_seed, config.leafinstruct_format) == ("shuffled", 5, 2)

    again.save_pretrained(tmp_path / "new")
    saved = json.loads((tmp_path / "new" / "adapter_config.json").read_text())
    assert saved["leafinstruct_format"] == 2
    assert saved["neighbors"] == "shuffled"
    assert not saved.keys() & FORMAT_1.values()


def test_an_adapter_of_a_newer_format_is_refused(tmp_path):
    adapted(chameleon, {}).save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "leafinstruct_format": 3}))
    message = "the adapter has format 3; this version reads 1 and 2: upgrade leafinstruct"
    for load in (peft.PeftModel.from_pretrained, moss.load):
        with pytest.raises(moss.MossConfigError, match=message):
            load(exact(chameleon()), tmp_path)


@routed
@backbones
def test_the_text_half_merges_exactly_and_comes_off_again(backbone, mode):
    model, ids = adapted(backbone, mode), page(0, lines(backbone))
    wanted = hidden(model, ids)
    model.merge_adapter(modality="text")
    close(hidden(model, ids), wanted)
    text = words(torch.Generator().manual_seed(0), 9)[None]
    with torch.no_grad():
        close(hidden(model, ids), wanted)
        merged = hidden(model, text)
    model.unmerge_adapter()
    close(hidden(model, ids), wanted)
    close(hidden(model, text), merged)


def test_what_cannot_be_merged_says_why(tmp_path):
    model = adapted(chameleon, {})
    with pytest.raises(ValueError, match="treats text and patches differently"):
        model.merge_and_unload()
    with pytest.raises(ValueError, match="only the text half can be merged"):
        model.merge_adapter(modality="image")
    ids = page(0)
    plain = adapted(chameleon, {"method": "lora"})
    wanted = hidden(plain, ids)
    close(hidden(plain.merge_and_unload(), ids), wanted)
    bare = adapted(chameleon, {}).unload()
    assert torch.equal(hidden(bare, ids), hidden(exact(chameleon()), ids))


@pytest.mark.matrix(4)
@pytest.mark.e2e
@every
@backbones
@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_changes_no_gradient(backbone, mode, reentrant):
    """Two forward passes before either backward: each recompute needs its own layout."""
    gradients = []
    for checkpointing in (False, True):
        model = adapted(backbone, mode).train()
        if checkpointing:
            model.activation_checkpointing_enable(
                activation_checkpointing_kwargs={"use_reentrant": reentrant}
            )
            model.enable_input_require_grads()
        losses = [
            hidden(model, page(seed, lines(backbone)), use_cache=False)[..., :7].square().mean()
            for seed in (0, 1)
        ]
        losses.append(
            hidden(model, words(torch.Generator().manual_seed(0), 6)[None], use_cache=False)[..., :7]
            .square()
            .mean()
        )
        sum(losses).backward()
        gradients.append(
            {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
        )
    assert gradients[0].keys() == gradients[1].keys()
    for name, wanted in gradients[0].items():
        close(gradients[1][name], wanted)


@routed
def test_text_gradients_never_reach_the_image_half_nor_the_reverse(mode):
    """On one layer: attention mixes positions between layers."""
    model, ids = adapted(chameleon, mode), page(0)
    layer = next(module for module in model.modules() if isinstance(module, MossLayer))
    inner = model.base_model
    layout = Layout(inner._patches(inner.peft_config["default"]).positions(ids))
    with layer.moss_running.within(Pass(layout)):
        out = layer(torch.randn(1, ids.shape[1], layer.in_features, dtype=torch.float64)).view(
            -1, layer.out_features
        )
    halves = {
        "text": [layer.moss_text_A, layer.moss_text_B],
        "image": [layer.moss_image_A, layer.moss_image_B, layer.moss_kernel],
    }
    for rows, own, foreign in ((layout.text, "text", "image"), (layout.image, "image", "text")):
        model.zero_grad()
        out[rows].square().sum().backward(retain_graph=True)
        assert all(weight.grad.abs().max() > 0 for part in halves[own] for weight in part.values())
        assert all(
            weight.grad is None or not weight.grad.any()
            for part in halves[foreign]
            for weight in part.values()
        )


@routed
@backbones
def test_every_parameter_has_a_gradient_with_text_alone_and_images_alone(backbone, mode):
    generator = torch.Generator().manual_seed(0)
    inputs = [words(generator, 9)[None], image(generator, 4, 4, lines(backbone))[None, 1:-1]]
    for ids in inputs:
        model = adapted(backbone, mode).train()
        hidden(model, ids).square().mean().backward()
        assert all(value.grad is not None for value in model.parameters() if value.requires_grad)


@every
def test_bf16(mode):
    ids = page(0)
    wanted = hidden(adapted(chameleon, mode), ids)
    base = chameleon().to(torch.bfloat16)
    torch.manual_seed(1)
    model = peft.get_peft_model(base, moss.MossConfig(**SIZES, **mode, init="random")).eval()
    found = hidden(model, ids)
    assert found.dtype == torch.bfloat16
    assert (found.float() - wanted).abs().mean() < 0.1 * wanted.abs().mean()
    single = peft.get_peft_model(chameleon(), moss.MossConfig(**SIZES, **mode, init="random"))
    with torch.autocast("cpu", torch.bfloat16):
        hidden(single.train(), ids).float().square().mean().backward()


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ({}, 3 * (32 + 32) + 4 * (4 * 32 + 32)),
        ({"conv_mode": "rank"}, 3 * 64 + 4 * 64 + 4 * 16),
        ({"conv_mode": "depthwise"}, 3 * 64 + 4 * 64 + 4 * 4),
        ({"method": "moe_lora"}, 3 * 64 + 4 * 64),
        ({"method": "lora"}, 3 * 64),
        ({"kernel_size": 3}, 3 * 64 + 4 * (9 * 32 + 32)),
    ],
)
def test_parameters_are_as_many_as_configured(mode, wanted):
    config = moss.MossConfig(**SIZES, **mode, target_modules=r"model\.layers\.0\.self_attn\.q_proj")
    model = peft.get_peft_model(chameleon(), config)
    assert sum(value.numel() for value in model.parameters() if value.requires_grad) == wanted


def test_methods_are_matched_in_parameters():
    target = r"model\.layers\.\d\.self_attn\.(q|k|v|o)_proj"
    configs = {
        name_of(mode): moss.MossConfig(r_text=8, r_image=8, target_modules=target, **mode) for mode in MODES
    }
    matched = moss.match_params(chameleon(), configs, to="full_space")
    for name, config in matched.configs.items():
        model = peft.get_peft_model(chameleon(), config)
        assert matched.parameters[name] == sum(
            value.numel() for value in model.parameters() if value.requires_grad
        )
        assert abs(matched.parameters[name] / matched.budget - 1) < 0.05, str(matched)
        assert config.alpha_text / config.r_text == 8.0
    assert len(str(matched).splitlines()) == len(MODES) + 1
    with pytest.raises(moss.MossConfigError, match="is not one of"):
        moss.match_params(chameleon(), configs, to="x")


def test_packed_documents_are_as_alone():
    """Two documents in one row: what the adapter adds to the second does not depend on the first."""
    generator = torch.Generator().manual_seed(3)
    document = torch.cat([words(generator, 2), image(generator), words(generator, 2)])
    other = torch.cat([image(generator), words(generator, 4)])
    model = adapted(chameleon, {})
    places = torch.cat([torch.arange(len(other)), torch.arange(len(document))])[None]
    allowed = (
        torch.block_diag(torch.ones(len(other), len(other)), torch.ones(len(document), len(document)))
        .tril()
        .bool()[None, None]
    )
    mask = torch.zeros(allowed.shape, dtype=torch.float64).masked_fill(
        ~allowed, torch.finfo(torch.float64).min
    )
    packed = hidden(model, torch.cat([other, document])[None], attention_mask=mask, position_ids=places)
    close(packed[:, len(other) :], hidden(model, document[None]))


def test_the_ids_of_images_may_be_given(tmp_path):
    """A model whose config says nothing of images."""
    from transformers import LlamaConfig, LlamaForCausalLM

    def llama() -> Any:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=200,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=4,
            pad_token_id=1,
        )
        return exact(LlamaForCausalLM(config).eval())

    ids = page(0)
    silent = peft.get_peft_model(llama(), moss.MossConfig(**SIZES, init="random"))
    with pytest.raises(ValueError, match="set image_tokens and image_grid in MossConfig, or pass patch_pos"):
        silent(input_ids=ids)
    torch.manual_seed(4)
    told = peft.get_peft_model(
        llama(), moss.MossConfig(**SIZES, init="random", image_tokens=[[4, 67]], image_grid=[SIDE, SIDE])
    ).eval()
    wanted = hidden(told, ids)
    positions = told.base_model._patches(told.peft_config["default"]).positions(ids)
    assert torch.equal(hidden(told, ids, patch_pos=positions), wanted)
    vectors = told.get_input_embeddings()(ids)
    with pytest.raises(ValueError, match="inputs_embeds do not show which rows are patches: pass patch_pos"):
        told(inputs_embeds=vectors)
    close(
        told(inputs_embeds=vectors, patch_pos=positions, output_hidden_states=True).hidden_states[-1], wanted
    )
    told.save_pretrained(tmp_path)
    assert torch.equal(hidden(peft.PeftModel.from_pretrained(llama(), tmp_path).eval(), ids), wanted)


def test_the_marks_around_an_image_are_text():
    model, ids = adapted(chameleon, {}), page(0)
    positions = model.base_model._patches(model.peft_config["default"]).positions(ids)[0, :, 0]
    assert (positions[(ids[0] == BOI) | (ids[0] == EOI)] == -1).all()
    assert (positions >= 0).sum() == 2 * SIDE * SIDE
