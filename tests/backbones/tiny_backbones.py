"""Tiny random backbones with a tokenizer of whole words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from moss.tiny import BOI, EOI, EOL, PLACE, chameleon, emu2, emu3
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from leafinstruct.backbones.backbone import unadapted
from leafinstruct.backbones.chameleon import Chameleon, Interleaved
from leafinstruct.backbones.emu2.backbone import Emu2
from leafinstruct.backbones.emu2.diffusion import Diffusion
from leafinstruct.backbones.emu3 import Emu3
from leafinstruct.backbones.vqgan import Decoder, Vqgan

WORDS = [
    "draw",
    "a",
    "red",
    "house",
    "now",
    "the",
    "door",
    "then",
    "it",
    "is",
    "done",
    "*",
    *"0123456789",
    "<",
    ">",
    "eoss",
    "s",
    "/",
]
EMU2_SPECIAL_TOKENS = {"[IMG]": BOI, "[/IMG]": EOI, "<image>": PLACE, "[gIMG]": 199}
EMU3_SPECIAL_TOKENS = {
    "<|image start|>": 121,
    "<|image token|>": 122,
    "<|extra_200|>": EOL,
    "<|extra_201|>": 123,
    "<|image end|>": 124,
}


def tokenizer(marks: dict[str, int]) -> Any:
    """Words at 130 and on; marks are special."""
    names = {
        "<unk>": 3,
        "<s>": 0,
        "</s>": 2,
        "<pad>": 1,
        **marks,
        **{word: 130 + number for number, word in enumerate(WORDS)},
    }
    inner = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Whitespace(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(marks),
    )


def interleaved() -> Any:
    plain = chameleon()
    model = Interleaved(plain.config).eval()
    model.load_state_dict(plain.state_dict())
    return model


def tiny_chameleon(model: Any = None) -> Chameleon:
    model = model if model is not None else interleaved()
    torch.manual_seed(2)
    return Chameleon(
        model,
        tokenizer({"<racm3:break>": 197, "<eoss>": 196, "<image>": 190}),
        Vqgan(unadapted(model).model.vqmodel, Decoder(vq()).eval()),
    )


def tiny_emu3(model: Any = None) -> Emu3:
    return Emu3(model if model is not None else emu3(), tokenizer(EMU3_SPECIAL_TOKENS), grid=(3, 2))


def tiny_emu2(model: Any = None) -> Emu2:
    return Emu2(
        model if model is not None else emu2(),
        tokenizer(EMU2_SPECIAL_TOKENS),
        Diffusion(*diffusion(), steps=2),
    )


def diffusion() -> tuple[Any, Any, Any]:
    """A U-Net over 8 x 8 latents of vectors of 12 numbers, a VAE that doubles them, a scheduler: the kinds of
    Emu2-Gen."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel

    torch.manual_seed(3)
    unet = UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 12,
    )
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    vae = AutoencoderKL(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4, sample_size=16, **blocks
    )
    return (
        unet,
        vae,
        EulerDiscreteScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="leading"
        ),
    )


def gen_folder(folder: Path) -> Path:
    """Emu2-Gen as published: a folder for each part."""
    emu2().save_pretrained(folder / "multimodal_encoder")
    tokenizer(EMU2_SPECIAL_TOKENS).save_pretrained(folder / "tokenizer")
    for name, part in zip(("unet", "vae", "scheduler"), diffusion(), strict=True):
        part.save_pretrained(folder / name)
    return folder


def vq() -> Any:
    return chameleon().config.vq_config


def checkpoint(folder: Path, suffix: str = ".ckpt") -> Path:
    """A VQGAN as published: tensors below state_dict, the encoder's and the discriminator's among them."""
    torch.manual_seed(2)
    weights = {
        **Decoder(vq()).state_dict(),
        "encoder.conv_in.weight": torch.zeros(2),
        "loss.discriminator.x": torch.zeros(1),
    }
    path = folder / f"vqgan{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "epoch": 3}, path)
    return path
