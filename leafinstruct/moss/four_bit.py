"""4-bit bases of bitsandbytes on CPUs with AVX512-BF16.

bitsandbytes 0.50 repacks the weights of a `Linear4bit` for its CPU kernel in the first forward pass in eval
mode. This has three effects: a layer whose shape is not a multiple of 32 x blocksize raises a RuntimeError
about shapes; scales are rounded to bfloat16, so eval and training differ; and `state_dict` does not restore
the scales, so a base silently changes when it, or its adapter, is saved (measured on a random model of width
128: logits changed by 0.18). `support_avx512bf16_for_cpu` of each layer switches repacking off. The cost is
the faster kernel for inference on the CPU.
"""

from __future__ import annotations

from torch import nn

SWITCH = "support_avx512bf16_for_cpu"


def keep_4bit_layout(model: nn.Module) -> None:
    """Keep the weights of 4-bit layers as they were quantized. Has no effect on other models and with other
    versions of bitsandbytes.

    `get_peft_model` and `load` call this. Call it yourself after loading a 4-bit base that runs, or is saved,
    before it gets an adapter. Raises ValueError when a layer was repacked already, because its scales cannot
    be restored.
    """
    for name, module in model.named_modules():
        if hasattr(module, SWITCH):
            if getattr(getattr(module.weight, "quant_state", None), "packing_format_for_cpu", False):
                raise ValueError(
                    f"{name}: bitsandbytes repacked this 4-bit layer in an earlier forward pass and "
                    "cannot restore it exactly; load the base again and add the adapter, or call "
                    "leafinstruct.moss.keep_4bit_layout, before its first forward pass"
                )
            setattr(module, SWITCH, False)
