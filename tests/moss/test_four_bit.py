"""4-bit bases where bitsandbytes would repack their weights for the CPU: trained, evaluated and saved without
a change.

Repacking is Python code that runs on any CPU; only its kernel needs AVX512-BF16. So these tests make
bitsandbytes believe in such a CPU.
"""

from __future__ import annotations

from typing import Any

import peft
import pytest
import torch
from moss.tiny import page

from leafinstruct import moss

SHAPES = [(32, 48), (64, 128)]
"""Widths that cannot be repacked (the layers' shapes are no multiples of 32 x 64), and widths that can."""


@pytest.fixture(autouse=True)
def _avx512_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    import bitsandbytes

    monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)


def four_bit(folder: Any, shape: tuple[int, int] = SHAPES[1], nested: bool = False) -> Any:
    """A quantized Llama; its weights are the same for the same shape."""
    from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

    width, inner = shape
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=1,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder / "plain")
    how = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32, bnb_4bit_use_double_quant=nested
    )
    return LlamaForCausalLM.from_pretrained(folder / "plain", quantization_config=how, device_map="cpu")


def adapted(base: Any) -> Any:
    torch.manual_seed(1)
    return peft.get_peft_model(
        base, moss.MossConfig(r_text=2, r_image=2, init="random", image_tokens=[[4, 67]], image_grid=[4, 4])
    )


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    return model(input_ids=page(0)).logits


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_evaluating_and_saving_change_nothing(tmp_path, shape, nested):
    model = adapted(four_bit(tmp_path, shape, nested))
    stored = {name: value.clone() for name, value in model.state_dict().items()}
    trained = logits(model.train())
    assert torch.equal(logits(model.eval()), trained)
    model.save_pretrained(tmp_path / "adapter")
    assert torch.equal(logits(model), trained)
    now = model.state_dict()
    assert now.keys() == stored.keys()
    assert all(torch.equal(now[name], value) for name, value in stored.items())
    again = peft.PeftModel.from_pretrained(four_bit(tmp_path, shape, nested), tmp_path / "adapter")
    assert torch.equal(logits(again.eval()), trained)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_base_is_saved_as_it_was_quantized(tmp_path, shape, nested):
    from transformers import LlamaForCausalLM

    base = four_bit(tmp_path, shape, nested)
    moss.keep_4bit_layout(base)
    wanted = logits(base.eval())
    base.save_pretrained(tmp_path / "saved")
    again = LlamaForCausalLM.from_pretrained(tmp_path / "saved")
    moss.keep_4bit_layout(again)
    assert torch.equal(logits(again.eval()), wanted)


def test_a_base_that_was_repacked_is_refused_with_a_hint(tmp_path):
    base = four_bit(tmp_path)
    layer = base.model.layers[0].self_attn.q_proj
    from bitsandbytes.functional import _convert_weight_packed_for_cpu

    layer.weight.data, layer.weight.quant_state = _convert_weight_packed_for_cpu(
        layer.weight.data, layer.weight.quant_state
    )
    with pytest.raises(
        ValueError,
        match=(
            r"^model\.layers\.0\.self_attn\.q_proj: bitsandbytes repacked .*; load the base again and "
            r"add the adapter"
        ),
    ):
        adapted(base)


def test_other_models_are_left_alone():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    before = dict(vars(model[0]))
    moss.keep_4bit_layout(model)
    assert vars(model[0]) == before
