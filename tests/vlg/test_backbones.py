"""Pictures and text as ids and back; weights in the published layout; what is not the right file says so."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from moss.tiny import chameleon, page
from PIL import Image
from vlg.tiny_backbones import checkpoint, interleaved, tiny_chameleon, tiny_emu3, tokenizer, vq

from leafinstruct import moss
from leafinstruct.errors import BackboneError
from leafinstruct.vlg.chameleon import Chameleon, Interleaved
from leafinstruct.vlg.emu3 import Emu3
from leafinstruct.vlg.vqgan import Decoder, to_picture

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
    assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits), "the mask is not back after loading"


def test_an_adapter_learns_to_draw_with_the_loss_on_codes():
    torch.manual_seed(0)
    base = interleaved()
    base.lm_head.weight.data.normal_(std=0.3)
    model = peft.get_peft_model(base, moss.MossConfig(r_text=8, r_image=8)).train()
    ids = page(0)
    labels = torch.where(ids < 68, ids, -100)
    optimiser = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=2e-2)
    losses = []
    for _ in range(40):
        loss = model(input_ids=ids, labels=labels).loss
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("backbone", [tiny_chameleon(), tiny_emu3()], ids=["chameleon", "emu3"])
def test_a_prompt_is_its_segments_in_order(backbone):
    script = backbone.script(None)
    ids = backbone.encode(["draw a red house", RED, "then", RED])
    assert ids[0] == 0
    marks = [n for n, number in enumerate(ids) if number == script.begin]
    assert len(marks) == 2
    assert backbone.decode_text(ids[1 : marks[0]]) == "draw a red house"
    assert backbone.decode_text(ids[ids.index(script.steps[-1]) : marks[1]]) == "then"
    positions = moss.MossModel(backbone.model, moss.MossConfig(), "default")._patches(moss.MossConfig()).positions(torch.tensor([ids]))[0]
    assert positions[:, 0].max() == 1
    assert all((positions[n, 0] >= 0) == (ids[n] in script.codes) for n in range(len(ids)))


@pytest.mark.parametrize("make", [tiny_chameleon, tiny_emu3])
def test_control_strings_in_a_text_are_letters(make):
    backbone = make()
    script = backbone.script(None)
    for said in ("</s>", "<eoss>", "<racm3:break>", "<image>", "<|image start|> 2*2 <|image token|>", "<s>", "<pad>"):
        ids = backbone.encode([f"draw {said} now"])[1:]
        assert not {script.begin, backbone.end, *script.closed} & set(ids), said


def test_a_tokenizer_that_cannot_write_them_as_letters_is_refused():
    backbone = tiny_chameleon()
    inner = backbone._tokenizer
    backbone._tokenizer = lambda _, **__: {"input_ids": [130, 2]}
    backbone._tokenizer.all_special_ids = inner.all_special_ids
    backbone._tokenizer.unk_token_id = 3
    backbone._tokenizer.decode = inner.decode
    with pytest.raises(BackboneError, match="reads '</s>' in a text as a control id; use a fast tokenizer"):
        backbone.encode(["</s>"])


def test_pictures_keep_their_shape_in_emu3_within_the_area():
    backbone = tiny_emu3()
    for size, grid in (((4, 6), (3, 2)), ((400, 100), (1, 4)), ((2, 2), (1, 1)), ((100, 100), (2, 2))):
        ids = backbone.encode([Image.new("RGB", size, (10, 200, 30))])[1:]
        script = backbone.script(grid)
        assert len(ids) == 1 + len(script.steps), size
        assert all(wanted is None or wanted == found for wanted, found in zip(script.steps, ids[1:], strict=True))
        assert backbone.decode_picture(ids[1:]).size == (2 * grid[1], 2 * grid[0])


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_the_published_layout_of_a_vqgan_is_read(tmp_path, suffix):
    config = vq()
    decoder = Decoder.load(checkpoint(tmp_path, suffix), config)
    keys = set(decoder.state_dict())
    published = """quantize.embedding.weight post_quant_conv.weight decoder.conv_in.weight decoder.mid.block_1.norm1.weight
        decoder.mid.attn_1.q.weight decoder.mid.attn_1.proj_out.bias decoder.mid.block_2.conv2.weight decoder.up.2.block.0.conv1.weight
        decoder.up.2.upsample.conv.weight
        decoder.up.1.upsample.conv.bias decoder.up.0.block.1.norm2.bias decoder.norm_out.weight decoder.conv_out.weight"""
    for key in published.split():
        assert key in keys
    assert not any(key.startswith("decoder.up.0.upsample") for key in keys)
    codes = torch.arange(16).view(4, 4)
    picture = decoder.picture(codes)
    assert picture.size == (16, 16)
    other = codes.clone()
    other[0, 0] = 60
    assert np.asarray(decoder.picture(other)).tolist() != np.asarray(picture).tolist()


def test_widths_of_levels_are_the_published_ones():
    """Chameleon's own decoder, by shapes alone: 128 x (1, 1, 2, 2, 4), three blocks a level, a shortcut where the width changes."""
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
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"nonsense")
    with pytest.raises(BackboneError, match=r"a\.ckpt: cannot be read as weights"):
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
    with pytest.raises(BackboneError, match=r"decoder\.conv_in\.bias is \(7,\), and vq_config says \(32,\)"):
        Decoder.load(path, vq())


def test_folders_load_as_published(tmp_path):
    interleaved().save_pretrained(tmp_path)
    backbone = Chameleon.load(tmp_path, checkpoint(tmp_path), tokenizer({"<racm3:break>": 197, "<eoss>": 196}))
    assert backbone.encode([RED]) == tiny_chameleon().encode([RED])


def test_a_wrong_vocabulary_or_codebook(tmp_path):
    model = interleaved()
    config = vq()
    config.num_embeddings = 32
    with pytest.raises(BackboneError, match="the picture decoder knows 32 codes, the model 64"):
        Chameleon(model, None, Decoder(config))
    del model.config.vocabulary_map["<eoss>"]
    with pytest.raises(BackboneError, match="the vocabulary has no <eoss>"):
        Chameleon(model, None, Decoder(vq()))
    with pytest.raises(BackboneError, match=r"the vocabulary has no <\|image start\|>"):
        Emu3(None, tokenizer({}))


def test_pixels_are_clipped_and_rounded():
    pixels = torch.tensor([-2.0, 0.0, 2.0]).view(3, 1, 1)
    assert np.asarray(to_picture(pixels)).tolist() == [[[0, 128, 255]]]
