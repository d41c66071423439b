"""Load a backbone by name from folders of published weights.

    chameleon   a transformers folder with its tokenizer (Anole too, in that form); decoder: the published
                vqgan.ckpt.
                The packaged leaf:tiny-1 is a chameleon and needs neither
    emu3        a transformers folder with its tokenizer, image decoder included
    emu2        the Hub folder of Emu2 or Emu2-Chat, which only read images; or of Emu2-Gen
                (`multimodal_encoder`, `tokenizer`, `unet`,
                `vae`, `scheduler`), which also generates them; keys of the research repository are supported,
                too

Code in these folders is never run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from transformers.utils import logging

from leafinstruct.backbones import tiny
from leafinstruct.backbones.backbone import Backbone
from leafinstruct.backbones.chameleon import Chameleon, Interleaved
from leafinstruct.backbones.emu2.backbone import Emu2
from leafinstruct.backbones.emu2.decoder import RESEARCH_KEYS, Emu2ForCausalLM
from leafinstruct.backbones.emu2.diffusion import Diffusion
from leafinstruct.backbones.emu3 import Emu3
from leafinstruct.backbones.vqgan import Decoder, Vqgan
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BACKBONES = ("chameleon", "emu3", "emu2")


def load(
    name: str,
    weights: Path,
    decoder: Path | None = None,
    device: str = "cpu",
    dtype: torch.dtype | str = "auto",
) -> tuple[Backbone, list[str]]:
    """Return the backbone in evaluation mode, and the keys of its weights that are missing, unexpected or of
    another shape.

    decoder: the image decoder when it is not in `weights`: chameleon's vqgan.ckpt, the Emu2-Gen folder.
    dtype: a torch type, or "auto" for the stored one. Raises BackboneError for an unknown backbone, and for
    files that are missing or belong to another model.
    """
    if name not in BACKBONES:
        raise BackboneError(f"{name}: no such backbone; known are {', '.join(BACKBONES)}")
    if str(weights).startswith("leaf:"):
        if str(weights) != tiny.NAME or name != "chameleon":
            raise BackboneError(
                f"{weights} as {name}: no such packaged base; known is {tiny.NAME}, a chameleon"
            )
        return tiny.load(device, dtype), []
    if not weights.is_dir():
        raise BackboneError(f"{weights}: no such folder; leaf does not download weights")
    if name == "chameleon":
        if decoder is None:
            raise BackboneError(
                "Chameleon needs its image decoder: give the published file with --decoder .../vqgan.ckpt"
            )
        model, odd = _model(name, Interleaved, weights, device, dtype)
        vq = model.model.vqmodel
        return Chameleon(
            model, _tokenizer(weights), Vqgan(vq, Decoder.load(decoder, vq.config).to(device))
        ), odd
    if name == "emu3":
        from transformers import Emu3ForConditionalGeneration

        model, odd = _model(name, Emu3ForConditionalGeneration, weights, device, dtype)
        return Emu3(model, _tokenizer(weights)), odd
    whole = (weights / "multimodal_encoder").is_dir()
    folder = weights / "multimodal_encoder" if whole else weights
    model, odd = _model(name, Emu2ForCausalLM, folder, device, dtype, RESEARCH_KEYS)
    source = decoder or (weights if whole else None)
    diffusion = Diffusion.load(source, device, model.dtype) if source is not None else None
    return Emu2(model, _tokenizer(weights / "tokenizer" if whole else weights), diffusion), odd


def _model(
    name: str,
    kind: type[PreTrainedModel],
    folder: Path,
    device: str,
    dtype: torch.dtype | str,
    keys: dict[str, str] | None = None,
) -> tuple[PreTrainedModel, list[str]]:
    """Load a model. keys: patterns of the stored keys -> the model's."""
    _check_kind(name, folder)
    half = "bf16" if list(folder.glob("*.bf16*.safetensors")) else None
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # transformers writes it to stderr
    try:
        model, info = kind.from_pretrained(
            folder,
            dtype=dtype,
            variant=half,
            key_mapping=keys,
            output_loading_info=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise BackboneError(f"{folder}: cannot be loaded as {name}: {_first_line(error)}") from error
    finally:
        if bars:
            logging.enable_progress_bar()
    kinds = (
        ("missing", "missing_keys"),
        ("unexpected", "unexpected_keys"),
        ("of another shape", "mismatched_keys"),
    )
    odd = [f"{word} {key}" for word, name in kinds for key in sorted(map(str, info[name]))]
    return model.to(device).eval(), odd


def _check_kind(name: str, folder: Path) -> None:
    """Raise BackboneError for another model's folder: transformers would fill a model of the published size
    with random numbers."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{folder}: cannot read config.json: {_first_line(error)}") from error
    kind = config.get("model_type")
    if name == "emu2" and not {"d_model", "vision_config"} <= config.keys():
        raise BackboneError(
            f"{folder}: config.json has no d_model and vision_config, so this is not Emu2 (model_type "
            f"{kind!r})"
        )
    if name not in ("emu2", kind):
        raise BackboneError(
            f"{folder}: config.json has model_type {kind!r}, not {name!r}; the folder must have the "
            "form that "
            "transformers reads"
        )


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        # otherwise transformers asks whether to run the folder's code
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise BackboneError(f"{folder}: cannot load a tokenizer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
