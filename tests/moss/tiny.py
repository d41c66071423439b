"""Tiny random backbones and sequences with images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import leafinstruct.moss  # noqa: F401 - mends torchvision before transformers is imported

SIDE = 4
"""Patches of a Chameleon image along each side."""
BOI, EOI = 197, 196
CODES = 64
EOL = 120


def chameleon(**settings: Any) -> Any:
    """4 x 4 patches an image, ids 4..67."""
    from transformers import ChameleonConfig, ChameleonForConditionalGeneration

    names = {
        "IMGIMG" + "".join(chr(ord("A") + int(digit)) for digit in str(code)) + "Z": 4 + code
        for code in range(CODES)
    }
    config = ChameleonConfig(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        vocabulary_map={**names, "<image>": 190, "<racm3:break>": BOI, "<eoss>": EOI},
        vq_config={
            "resolution": 16,
            "num_embeddings": CODES,
            "base_channels": 32,
            "channel_multiplier": [1, 1, 1],
            "num_res_blocks": 1,
            "embed_dim": 8,
            "latent_channels": 8,
            "attn_resolutions": [],
        },
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **settings,
    )
    torch.manual_seed(0)
    return ChameleonForConditionalGeneration(config).eval()


def emu3() -> Any:
    """Images of any shape: ids 4..67, a token after each row."""
    from transformers import Emu3Config, Emu3ForConditionalGeneration

    names = {f"<|visual token {code:06d}|>": 4 + code for code in range(CODES)}
    config = Emu3Config(
        text_config={
            "vocab_size": 200,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "pad_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 2,
        },
        vq_config={
            "codebook_size": CODES,
            "embed_dim": 4,
            "latent_channels": 4,
            "base_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "attn_resolutions": [],
            "hidden_size": 32,
            "num_attention_heads": 2,
        },
        vocabulary_map={**names, "<|extra_200|>": EOL, "<image>": 190},
    )
    torch.manual_seed(0)
    return Emu3ForConditionalGeneration(config).eval()


PLACE = 198
"""Holds the place of a vector in Emu2."""


def emu2() -> Any:
    """4 x 4 vectors of 12 numbers an image."""
    from leafinstruct.backbones.emu2.decoder import Emu2Config, Emu2ForCausalLM

    vision = {
        "image_size": 16,
        "patch_size": 2,
        "width": 12,
        "layers": 2,
        "head_width": 6,
        "mlp_ratio": 2.0,
        "n_query": SIDE * SIDE,
    }
    config = Emu2Config(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        d_model=12,
        vision_config=vision,
        image_token_id=PLACE,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = Emu2ForCausalLM(config)
    torch.nn.init.normal_(model.model.visual.pos_embed, std=0.5)
    return model.eval()


def arguments(model: Any, ids: Tensor) -> dict[str, Tensor]:
    """Ids as a backbone takes them: for Emu2 each code becomes a vector of its own."""
    if model.config.model_type != "emu2":
        return {"input_ids": ids}
    patch = (ids >= 4) & (ids < 4 + CODES)
    vectors = torch.randn(CODES, 12, generator=torch.Generator().manual_seed(7)).to(
        next(model.parameters()).dtype
    )
    found = {"input_ids": ids.masked_fill(patch, PLACE)}
    return {**found, "patches": vectors[ids[patch] - 4]} if patch.any() else found


def words(generator: torch.Generator, count: int) -> Tensor:
    return torch.randint(130, 180, (count,), generator=generator)


def image(generator: torch.Generator, height: int = SIDE, width: int = SIDE, lines: bool = False) -> Tensor:
    codes = torch.randint(4, 4 + CODES, (height, width), generator=generator)
    if lines:
        codes = torch.cat([codes, torch.full((height, 1), EOL)], dim=1)
    return torch.cat([torch.tensor([BOI]), codes.flatten(), torch.tensor([EOI])])


def page(seed: int, lines: bool = False) -> Tensor:
    """(1, T): words, an image, words, another, words."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 5), (2, 4)] if lines else [(SIDE, SIDE)] * 2
    parts = [words(generator, 3)]
    for height, width in shapes:
        parts += [image(generator, height, width, lines), words(generator, 2)]
    return torch.cat(parts)[None]
