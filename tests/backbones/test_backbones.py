"""Images and text as ids and back; weights in the published layout; what is not the right file says so."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from backbones.tiny_backbones import (
    EMU2_SPECIAL_TOKENS,
    checkpoint,
    diffusion,
    gen_folder,
    interleaved,
    tiny_chameleon,
    tiny_emu2,
    tiny_emu3,
    tokenizer,
    vq,
)
from moss.exact import close, exact
from moss.tiny import arguments, chameleon, emu2, page
from PIL import Image
from safetensors.torch import load_file, save_file

from leafinstruct import moss
from leafinstruct.backbones.chameleon import Chameleon, Interleaved
from leafinstruct.backbones.emu2.backbone import Emu2
from leafinstruct.backbones.emu2.decoder import Emu2ForCausalLM
from leafinstruct.backbones.emu2.diffusion import Diffusion
from leafinstruct.backbones.emu3 import Emu3
from leafinstruct.backbones.load import load
from leafinstruct.backbones.vqgan import Decoder, Vqgan, to_image
from leafinstruct.errors import BackboneError

RED = Image.new("RGB", (24, 16), (220, 30, 30))


def test_codes_have_logits_and_labels_on_them_a_finite_loss(tmp_path):
    ids = page(0)
    plain, model = chameleon(), interleaved()
    assert torch.isinf(plain(input_ids=ids, labels=ids).loss) or plain(input_ids=ids, labels=ids).loss > 1e30
    out = model(input_ids=ids, labels=ids)
    logits = out.logits[0, :-1]
    torch.testing.assert_close(out.loss, torch.nn.functional.cross_entropy(logits, ids[0, 1:]))
    text = torch.arange(200) >= 68
    torch.testing.assert_close(model(input_ids=ids).logits[..., text], plain(input_ids=ids).logits[..., text])
    model.save_pretrained(tmp_path)
    again = Interleaved.from_pretrained(tmp_path).eval()
    assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits), (
        "the mask is not back after loading"
    )


def test_an_adapter_learns_to_draw_with_the_loss_on_codes():
    torch.manual_seed(0)
    base = interleaved()
    base.lm_head.weight.data.normal_(std=0.3)
    model = peft.get_peft_model(base, moss.MossConfig(r_text=8, r_image=8)).train()
    ids = page(0)
    labels = torch.where(ids < 68, ids, -100)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=2e-2)
    losses = []
    for _ in range(40):
        loss = model(input_ids=ids, labels=labels).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("make", [tiny_chameleon, tiny_emu3, tiny_emu2])
def test_a_prompt_is_its_segments_in_order(make):
    backbone = make()
    layout = backbone.image_layout(None)
    ids = backbone.inputs(backbone.encode(["draw a red house", RED, "then", RED]))["input_ids"][0].tolist()
    assert ids[0] == 0
    marks = [n for n, number in enumerate(ids) if number == layout.begin]
    assert len(marks) == 2
    assert backbone.decode_text(ids[1 : marks[0]]) == "draw a red house"
    assert backbone.decode_text(ids[ids.index(layout.steps[-1]) : marks[1]]) == "then"
    positions = (
        moss.MossModel(backbone.model, moss.MossConfig(), "default")
        ._patches(moss.MossConfig())
        .positions(torch.tensor([ids]))[0]
    )
    assert positions[:, 0].max() == 1
    assert all((positions[n, 0] >= 0) == (ids[n] in layout.codes) for n in range(len(ids)))


@pytest.mark.parametrize("make", [tiny_chameleon, tiny_emu3, tiny_emu2])
def test_control_strings_in_a_text_are_letters(make):
    backbone = make()
    layout = backbone.image_layout(None)
    for said in (
        "</s>",
        "<eoss>",
        "<racm3:break>",
        "<image>",
        "<|image start|> 2*2 <|image token|>",
        "<s>",
        "<pad>",
        "[IMG]",
        "[/IMG]",
    ):
        ids = backbone.encode([f"draw {said} now"])[1:]
        assert not {layout.begin, backbone.end, *layout.closed} & set(ids), said


def test_a_tokenizer_that_cannot_write_them_as_letters_is_refused():
    backbone = tiny_chameleon()
    inner = backbone._tokenizer
    backbone._tokenizer = lambda _, **__: {"input_ids": [130, 2]}
    backbone._tokenizer.all_special_ids = inner.all_special_ids
    backbone._tokenizer.unk_token_id = 3
    backbone._tokenizer.decode = inner.decode
    with pytest.raises(BackboneError, match="reads '</s>' in a text as a control id; use a fast tokenizer"):
        backbone.encode(["</s>"])


def test_images_keep_their_shape_in_emu3_within_the_budget():
    backbone = tiny_emu3()
    for size, grid in (((4, 6), (3, 2)), ((400, 100), (1, 4)), ((2, 2), (1, 1)), ((100, 100), (2, 2))):
        ids = backbone.encode([Image.new("RGB", size, (10, 200, 30))])[1:]
        layout = backbone.image_layout(grid)
        assert len(ids) == 1 + len(layout.steps), size
        assert all(
            wanted is None or wanted == found for wanted, found in zip(layout.steps, ids[1:], strict=True)
        )
        assert backbone.decode_image(ids[1:], 1.0, torch.Generator()).size == (2 * grid[1], 2 * grid[0])


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_the_published_layout_of_a_vqgan_is_read(tmp_path, suffix):
    config = vq()
    decoder = Decoder.load(checkpoint(tmp_path, suffix), config)
    keys = set(decoder.state_dict())
    published = """quantize.embedding.weight post_quant_conv.weight decoder.conv_in.weight decoder.mid.block_1.norm1.weight
        decoder.mid.attn_1.q.weight decoder.mid.attn_1.proj_out.bias decoder.mid.block_2.conv2.weight decoder.up.2.block.0.conv1.weight
        decoder.up.2.upsample.conv.weight
        decoder.up.1.upsample.conv.bias decoder.up.0.block.1.norm2.bias decoder.norm_out.weight decoder.conv_out.weight"""  # noqa: E501
    for key in published.split():
        assert key in keys
    assert not any(key.startswith("decoder.up.0.upsample") for key in keys)
    codes = torch.arange(16).view(4, 4)
    image = decoder.image(codes)
    assert image.size == (16, 16)
    other = codes.clone()
    other[0, 0] = 60
    assert np.asarray(decoder.image(other)).tolist() != np.asarray(image).tolist()


def test_widths_of_levels_are_the_published_ones():
    """Chameleon's own decoder, by shapes alone: 128 x (1, 1, 2, 2, 4), three blocks a level, a shortcut where
    the width changes."""
    from transformers import ChameleonVQVAEConfig

    with torch.device("meta"):
        weights = Decoder(ChameleonVQVAEConfig()).state_dict()
    assert weights["quantize.embedding.weight"].shape == (8192, 256)
    assert weights["decoder.conv_in.weight"].shape == (512, 256, 3, 3)
    assert weights["decoder.up.4.block.2.conv2.weight"].shape == (512, 512, 3, 3)
    assert weights["decoder.up.3.block.0.nin_shortcut.weight"].shape == (256, 512, 1, 1)
    assert weights["decoder.up.1.block.0.nin_shortcut.weight"].shape == (128, 256, 1, 1)
    assert "decoder.up.0.block.0.nin_shortcut.weight" not in weights
    assert weights["decoder.conv_out.weight"].shape == (3, 128, 3, 3)


def test_what_is_no_vqgan_of_this_model(tmp_path):
    for name in ("a.safetensors", "a.ckpt"):
        path = tmp_path / name
        path.write_bytes(b"nonsense")
        with pytest.raises(BackboneError, match=rf"{name}: cannot be read as weights"):
            Decoder.load(path, vq())

    class Bad:
        def __reduce__(self):
            return (Path(tmp_path / "ran").touch, ())

    path.write_bytes(pickle.dumps({"state_dict": Bad()}, protocol=2))
    with pytest.raises(BackboneError, match="cannot be read as weights"):
        Decoder.load(path, vq())
    assert not (tmp_path / "ran").exists()
    weights = torch.load(checkpoint(tmp_path), weights_only=True)["state_dict"]
    torch.save({key: value for key, value in weights.items() if key != "decoder.conv_in.bias"}, path)
    with pytest.raises(BackboneError, match=r"lacks decoder\.conv_in\.bias \(1 keys differ\)"):
        Decoder.load(path, vq())
    torch.save({**weights, "decoder.conv_in.bias": torch.zeros(7)}, path)
    with pytest.raises(
        BackboneError, match=r"decoder\.conv_in\.bias has shape \(7,\); vq_config needs \(32,\)"
    ):
        Decoder.load(path, vq())


def test_folders_load_as_published(tmp_path):
    interleaved().save_pretrained(tmp_path)
    tokenizer({"<racm3:break>": 197, "<eoss>": 196}).save_pretrained(tmp_path)
    backbone, odd = load("chameleon", tmp_path, checkpoint(tmp_path))
    assert odd == []
    assert backbone.encode([RED]) == tiny_chameleon().encode([RED])


def test_emu2_gen_loads_from_its_folders_and_decodes(tmp_path):
    backbone, odd = load("emu2", gen_folder(tmp_path))
    assert odd == []
    keys = set(backbone.model.state_dict())
    published = """model.visual.cls_token model.visual.pos_embed model.visual.patch_embed.proj.bias model.visual.blocks.1.norm2.weight
        model.visual.blocks.0.attn.q_bias model.visual.blocks.0.attn.v_bias model.visual.blocks.0.attn.qkv.weight model.visual.blocks.0.attn.proj.bias
        model.visual.blocks.1.mlp.fc1.weight model.visual.blocks.1.mlp.fc2.bias model.decoder.lm.model.embed_tokens.weight
        model.decoder.lm.model.layers.0.self_attn.q_proj.weight model.decoder.lm.lm_head.weight project_up.weight project_down.weight"""  # noqa: E501
    assert set(published.split()) <= keys
    assert not {"model.visual.blocks.0.attn.qkv.bias", "model.visual.norm.weight", "project_up.bias"} & keys
    items = backbone.encode([RED])
    assert items[1] == 197
    assert len(items) == 1 + 1 + 16 + 1
    for one, other in zip(items[2:-1], tiny_emu2().encode([RED])[2:-1], strict=True):
        torch.testing.assert_close(one, other)
    assert backbone.decode_image(items[2:], 1.0, torch.Generator().manual_seed(0)).size == (16, 16)


def test_the_research_repositorys_names_of_emu2_are_known(tmp_path):
    emu2().save_pretrained(tmp_path)
    tokenizer(EMU2_SPECIAL_TOKENS).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    names = (("model.visual.", "visual."), ("model.decoder.", "decoder."), ("project_up.", "vl_adapter.projection."),  # noqa: E501
             ("project_down.", "decoder.lm.stu_regress_head."))  # fmt: skip
    weights = {
        next(new + key.removeprefix(old) for old, new in names if key.startswith(old)): value
        for key, value in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    backbone, odd = load("emu2", tmp_path)
    assert odd == []
    wanted = emu2().state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in backbone.model.state_dict().items())


def test_emu2s_loss_is_of_ids_and_of_vectors_predicted_from_the_position_before():
    model, ids = emu2(), page(0)
    given = arguments(model, ids)
    out = model(**given, labels=given["input_ids"])
    place = given["input_ids"][0, 1:] == 198
    text = torch.nn.functional.cross_entropy(out.logits[0, :-1][~place], ids[0, 1:][~place])
    image = (out.patches[0, :-1][place] - given["patches"]).square().mean()
    torch.testing.assert_close(out.text_loss, text)
    torch.testing.assert_close(out.image_loss, image)
    torch.testing.assert_close(out.loss, text + image)
    losses = tiny_emu2(model).losses(given, given["input_ids"])
    torch.testing.assert_close(losses.value[losses.image].mean(), image)
    torch.testing.assert_close(losses.value[losses.text].mean(), text)
    silent = torch.full_like(ids, -100)
    assert model(**given, labels=silent).loss == 0.0
    with pytest.raises(
        BackboneError, match="input_ids have 32 placeholders of patches, but 31 vectors are given"
    ):
        model(given["input_ids"], patches=given["patches"][1:])


def test_a_row_of_emu2_may_begin_within_an_image_and_a_batch_mix_text_and_images():
    model = exact(emu2())
    cut, text = page(0)[:, 6:], page(1)[:, -4:]
    rows = torch.cat([cut, torch.cat([text, torch.ones(1, cut.shape[1] - 4, dtype=torch.long)], 1)])
    given = arguments(model, rows)
    alone = arguments(model, cut)
    both, one = model(**given), model(**alone)
    close(both.patches[:1], one.patches)
    labels = given["input_ids"].masked_fill(rows == 1, -100)
    losses = tiny_emu2(model).losses(given, labels)
    first = given["input_ids"][0, 0] == 198
    assert first
    assert losses.image[0].sum() == len(alone["patches"]) - 1
    assert not losses.image[1].any()
    target = alone["patches"][1:]
    said = one.patches[0, :-1][losses.image[0]]
    close(losses.value[0][losses.image[0]].double(), (said - target).square().mean(-1), torch.float32)


def test_eva_is_a_transformer_with_norms_behind_its_halves():
    """Against torch's own attention, block by block."""
    visual = emu2().model.visual.double()
    torch.manual_seed(1)
    for value in visual.parameters():
        torch.nn.init.normal_(value, std=0.3)
    pixels = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    x = torch.nn.functional.conv2d(
        pixels, visual.patch_embed.proj.weight, visual.patch_embed.proj.bias, stride=2
    )
    x = torch.cat([visual.cls_token.expand(2, -1, -1), x.flatten(2).transpose(1, 2)], 1) + visual.pos_embed
    for block in visual.blocks:
        inner = torch.nn.MultiheadAttention(12, 2, batch_first=True, dtype=torch.float64)
        inner.in_proj_weight.data = block.attn.qkv.weight.data
        inner.in_proj_bias.data = torch.cat(
            [block.attn.q_bias, torch.zeros(12, dtype=torch.float64), block.attn.v_bias]
        ).data
        inner.out_proj.load_state_dict(block.attn.proj.state_dict())
        x = x + block.norm1(inner(x, x, x)[0])
        x = x + block.norm2(block.mlp.fc2(torch.nn.functional.gelu(block.mlp.fc1(x))))
    wanted = x[:, 1:].view(2, 4, 2, 4, 2, 12).mean((2, 4)).flatten(1, 2)
    close(visual(pixels), wanted)


def test_an_adapter_learns_to_draw_vectors(tmp_path):
    from transformers import Trainer, TrainingArguments

    torch.manual_seed(0)
    base = emu2()
    for head in (base.project_down, base.model.decoder.lm.lm_head):
        # a random model's heads are too small for adapters below them to move
        head.weight.data.normal_(std=0.3)
    model = peft.get_peft_model(base, moss.MossConfig(r_text=4, r_image=4))
    assert all(
        "decoder.lm.model.layers" in name for name, value in model.named_parameters() if value.requires_grad
    )
    row = {**arguments(base, page(0)), "labels": arguments(base, page(0))["input_ids"]}
    arguments_ = TrainingArguments(
        str(tmp_path), max_steps=30, per_device_train_batch_size=1, learning_rate=2e-2, report_to=[], use_cpu=True, disable_tqdm=True,  # noqa: E501
        logging_steps=1, lr_scheduler_type="constant", save_strategy="no", dataloader_pin_memory=False, remove_unused_columns=False,  # noqa: E501
    )  # fmt: skip
    trainer = Trainer(model, arguments_, train_dataset=[row], data_collator=lambda rows: rows[0])
    with torch.no_grad():
        before = model(**row)
    trainer.train()
    with torch.no_grad():
        after = model.eval()(**row)
    assert after.image_loss < 0.9 * before.image_loss
    assert after.text_loss < before.text_loss


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_bases_are_trained_saved_and_not_merged(bits, tmp_path):
    from transformers import BitsAndBytesConfig

    interleaved().save_pretrained(tmp_path / "base")
    how = (
        BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
        if bits == 4
        else BitsAndBytesConfig(load_in_8bit=True)
    )

    def quantized() -> Any:
        return Interleaved.from_pretrained(tmp_path / "base", quantization_config=how, device_map="cpu")

    ids = page(0)
    base = peft.prepare_model_for_kbit_training(quantized(), use_gradient_checkpointing=False)
    assert type(base.model.layers[0].self_attn.q_proj).__name__ == (
        "Linear4bit" if bits == 4 else "Linear8bitLt"
    )
    torch.manual_seed(0)
    with torch.no_grad():
        plain = base.train()(input_ids=ids).logits
    model = peft.get_peft_model(base, moss.MossConfig(r_text=4, r_image=4)).train()
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, plain)
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=1e-2)
    losses = []
    for _ in range(12):
        loss = model(input_ids=ids, labels=ids).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert min(losses[-3:]) < losses[0]
    with pytest.raises(ValueError, match="is quantized, so merging would round"):
        model.merge_adapter(modality="text")
    model.eval().save_pretrained(tmp_path / "adapter")
    again = peft.PeftModel.from_pretrained(quantized(), tmp_path / "adapter").eval()
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)


def test_folders_that_are_something_else(tmp_path):
    with pytest.raises(BackboneError, match="nowhere: no such folder; leaf does not download weights"):
        load("emu3", tmp_path / "nowhere")
    with pytest.raises(BackboneError, match=r"cannot read config\.json"):
        load("emu2", tmp_path)
    interleaved().save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match=r"config\.json has model_type 'chameleon', not 'emu3'"):
        load("emu3", tmp_path)
    with pytest.raises(BackboneError, match="has no d_model and vision_config, so this is not Emu2"):
        load("emu2", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(BackboneError, match="cannot be loaded as chameleon"):
        load("chameleon", tmp_path, checkpoint(tmp_path))
    emu2().save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="cannot load a tokenizer"):
        load("emu2", tmp_path)
    tokenizer({}).save_pretrained(tmp_path)
    with pytest.raises(
        BackboneError, match=r"the vocabulary has no \[IMG\], which images need; is this Emu2's tokenizer\?"
    ):
        load("emu2", tmp_path)
    with pytest.raises(BackboneError, match="unet cannot be loaded"):
        Diffusion.load(tmp_path)
    model = emu2()
    model.config.d_model = 8
    with pytest.raises(BackboneError, match="needs vectors of size 12, but the model generates size 8"):
        Emu2(model, tokenizer(EMU2_SPECIAL_TOKENS), Diffusion(*diffusion()))
    config = emu2().config
    with pytest.raises(
        BackboneError, match=r"vision_config\.subln is True; Emu2's encoder has no such setting"
    ):
        Emu2ForCausalLM(
            type(config)(**{**config.to_dict(), "vision_config": {**config.vision_config, "subln": True}})
        )


def test_emu2_gen_without_its_scheduler(tmp_path):
    for part in ("unet", "vae"):
        diffusion()[part == "vae"].save_pretrained(tmp_path / part)
    with pytest.raises(BackboneError, match=r"scheduler cannot be loaded: .*scheduler_config"):
        Diffusion.load(tmp_path)


@pytest.mark.parametrize("known", [False, True])
def test_code_in_a_folder_is_neither_run_nor_asked_about(tmp_path, monkeypatch, known):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, ran = tmp_path / "base", tmp_path / "ran"
    interleaved().save_pretrained(folder)
    tokenizer({"<racm3:break>": 197, "<eoss>": 196}).save_pretrained(folder)
    (folder / "code.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    for name, auto in (
        ("tokenizer_config.json", {"AutoTokenizer": [None, "code.Tokenizer"]}),
        ("config.json", {"AutoConfig": "code.Config"}),
    ):
        told = json.loads((folder / name).read_text())
        foreign = {"tokenizer_class": "Tokenizer"} if name.startswith("tokenizer") and not known else {}
        (folder / name).write_text(json.dumps({**told, **foreign, "auto_map": auto}))
    (tmp_path / "vqgan").mkdir()
    decoder = checkpoint(tmp_path / "vqgan")
    if known:
        backbone, odd = load("chameleon", folder, decoder)
        assert odd == []
        assert len(backbone.encode(["draw"])) > 1
    else:
        with pytest.raises(
            BackboneError, match=r"cannot load a tokenizer: .* contains custom code"
        ) as refusal:
            load("chameleon", folder, decoder)
        assert "\n" not in str(refusal.value)
    assert not ran.exists()


def test_a_wrong_vocabulary_or_codebook(tmp_path):
    model = interleaved()
    config = vq()
    config.num_embeddings = 32
    with pytest.raises(BackboneError, match="the image decoder has 32 codes, but the model 64"):
        Vqgan(model.model.vqmodel, Decoder(config))
    images = Vqgan(model.model.vqmodel, Decoder(vq()))
    images.codes = 32
    with pytest.raises(BackboneError, match="the image tokenizer has 32 codes, but the vocabulary 64"):
        Chameleon(model, None, images)
    del model.config.vocabulary_map["<eoss>"]
    with pytest.raises(BackboneError, match="the vocabulary has no <eoss>"):
        Chameleon(model, None, images)
    with pytest.raises(BackboneError, match=r"the vocabulary has no <\|image start\|>"):
        Emu3(None, tokenizer({}))


def test_pixels_are_clipped_and_rounded():
    pixels = torch.tensor([-2.0, 0.0, 2.0]).view(3, 1, 1)
    assert np.asarray(to_image(pixels)).tolist() == [[[0, 128, 255]]]
