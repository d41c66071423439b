"""The `train:` section of a recipe. Imports pydantic and nothing else.

The adapter's fields are described in `moss/config.py`; the defaults are the same. Fields that change the
result are part of the fingerprint; how often progress is logged is not.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CHANGEABLE = (
    "data",
    "gradient_checkpointing",
    "save_every",
    "log_every",
    "evaluate_every",
    "evaluate_rows",
    "samples",
    "sample_tokens",
    "report_to",
)
"""Fields that may change when a run continues. The fingerprint contains the rows, not their location."""
BASE_NAME = r"^(leaf:)?[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$"
"""Portable name of a base; never a path."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BackboneConfig(_Section):
    """The frozen model to which the adapter is added."""

    name: Literal["chameleon", "emu3", "emu2"]
    """Architecture; Anole is a chameleon."""
    weights: str = Field(min_length=1)
    """Folder of the weights and their tokenizer, relative to the recipe."""
    decoder: str | None = Field(default=None, min_length=1)
    """Image decoder when it is not among the weights: Chameleon's vqgan.ckpt. Relative to the recipe."""
    base: str | None = Field(default=None, pattern=BASE_NAME)
    """Name of the base for users of the adapter (`facebook/chameleon-7b`); never a path. A packaged base
    needs none."""

    @property
    def known_as(self) -> str | None:
        """Return `base`, or the name of packaged weights."""
        return self.base or (self.weights if self.weights.startswith("leaf:") else None)


class AdapterConfig(_Section):
    """A MoSS adapter."""

    method: Literal["moss", "moe_lora", "lora"] = "moss"
    """moss: a convolution for image tokens; moe_lora: a second linear LoRA for image tokens; lora: one LoRA
    for all tokens."""
    r_text: int = Field(default=32, ge=1)
    """Rank for text tokens."""
    r_image: int = Field(default=32, ge=1)
    """Rank for image tokens."""
    alpha_text: float = Field(default=64.0, gt=0)
    """The text half is scaled by alpha_text / r_text."""
    alpha_image: float = Field(default=64.0, gt=0)
    """The image half is scaled by alpha_image / r_image."""
    kernel_size: int = Field(default=2, ge=1)
    """k of the k x k neighborhood."""
    conv_mode: Literal["full_space", "rank", "depthwise"] = "full_space"
    """Form of the convolution; full_space is the paper's."""
    neighbors: Literal["top_left", "raster", "shuffled"] = "top_left"
    """Which patches the convolution sees. `symmetric` includes the targets, so it cannot be trained."""
    neighbors_seed: int = 0
    """Seed of shuffled neighbors."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the adapter's input."""
    target_modules: str | None = None
    """Regular expression over whole module names. None: the attention projections of the decoder."""


class TrainConfig(_Section):
    """One training run."""

    data: str = Field(min_length=1)
    """`run:NAME` (the shards of that run), a folder of shards, a glob, or `hub:ORG/NAME`. Uses the split
    `train`."""
    backbone: BackboneConfig
    adapter: AdapterConfig = AdapterConfig()
    context: int = Field(default=4096, ge=16)
    """Maximum number of tokens of a row. A longer document is cut between segments, and dropped when no
    answer would remain."""
    packing: bool = True
    """Pack several documents into a row, none of which attends to another. false: one document a row."""
    condition_dropout: float = Field(default=0.0, ge=0, le=1)
    """Share of rows trained without their prompt, other rows in each epoch. Guidance needs this."""
    image_tokens: int | None = Field(default=None, ge=1)
    """Maximum number of patches of an image, without special tokens; larger images are reduced. None: the
    backbone's usual size. Chameleon and Emu2 have one size."""
    image_floor: int = Field(default=256, ge=1)
    """Images of a row that is too long are reduced, down to this number of patches each, before it is cut."""
    steps: int = Field(default=1000, ge=1)
    """Number of optimizer steps."""
    batch: int = Field(default=1, ge=1)
    """Rows of one pass on each device; with packing a row has about `context` tokens."""
    accumulate: int = Field(default=8, ge=1)
    """Passes of one step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Learning rate of AdamW after the warmup. The paper's is unknown; this one is ours."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate grows from 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate after the warmup; cosine ends at 0."""
    text_loss: float = Field(default=1.0, ge=0)
    """Weight of the mean loss of text tokens."""
    image_loss: float = Field(default=1.0, ge=0)
    """Weight of the mean loss of image tokens. Each modality has its own mean; otherwise 1,024 codes would
    outweigh 100 words."""
    z_loss: float = Field(default=0.0, ge=0)
    """Weight of the mean squared log-normalizer, which keeps logits from drifting; Chameleon was trained with
    1e-5. 0: none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the frozen weights and of the computation; the adapter is always float32. auto: weights as
    stored, bfloat16 computation where the GPU supports it."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: about a third more time, a fraction of the memory."""
    save_every: int = Field(default=200, ge=1)
    """Steps between two checkpoints, from which a killed run continues."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two log lines."""
    evaluate_every: int = Field(default=200, ge=0)
    """Steps between two validations on the split `validation` of the same data; 0: none."""
    evaluate_rows: int = Field(default=200, ge=1)
    """Maximum number of validation rows."""
    samples: int = Field(default=2, ge=0)
    """Number of validation rows for which answers are generated at each validation, written as images."""
    sample_tokens: int = Field(default=2100, ge=1)
    """Maximum number of tokens of such an answer: two images of Chameleon and some words. Emu3 needs 8,300 an
    image."""
    report_to: list[Literal["tensorboard", "wandb"]] = []
    """Further logs besides `log.jsonl`. Extras: `leafinstruct[tensorboard]`, `leafinstruct[wandb]`."""
    fsdp: dict[str, object] | None = None
    """Options of the Trainer's FSDP2 (`fsdp_config`) under torchrun, {} for its defaults. None: plain data
    parallelism."""

    @property
    def shaping(self) -> dict[str, object]:
        """Return the fields that determine the result: all but locations, memory, disk and logging."""
        return self.model_dump(
            mode="json", exclude={**dict.fromkeys(CHANGEABLE, True), "backbone": {"weights", "decoder"}}
        )
