"""The `train:` section of a recipe. Loads pydantic and nothing else.

What the adapter's fields mean stands in `moss/config.py`; defaults here are the same. A field that changes
what is learnt is part of the fingerprint; how often progress is logged is not.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

UNSHAPING = (
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
"""May change while a run goes on. The rows themselves, not where they lie, are part of a run's
fingerprint."""
BASE_NAME = r"^(leaf:)?[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$"
"""Of a base, for other people: never a path."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BackboneConfig(_Section):
    """The model that is adapted; it stays as it is."""

    name: Literal["chameleon", "emu3", "emu2"]
    """chameleon is also Anole's."""
    weights: str = Field(min_length=1)
    """Folder of the weights and their tokenizer. Relative to the recipe."""
    decoder: str | None = Field(default=None, min_length=1)
    """What turns patches into pixels where it is not among the weights: Chameleon's vqgan.ckpt. Relative to
    the recipe."""
    base: str | None = Field(default=None, pattern=BASE_NAME)
    """Name of the base for whoever loads the adapter elsewhere (`facebook/chameleon-7b`); never a path. A
    packaged one is its own name."""

    @property
    def known_as(self) -> str | None:
        """`base`, or the name of packaged weights."""
        return self.base or (self.weights if self.weights.startswith("leaf:") else None)


class AdapterConfig(_Section):
    """A MoSS adapter."""

    method: Literal["moss", "moe_lora", "lora"] = "moss"
    """moss: convolution for image tokens; moe_lora: a second linear LoRA for them; lora: one for all."""
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
    """full_space is the paper's."""
    taps: Literal["top_left", "raster", "shuffled"] = "top_left"
    """Which neighbors. symmetric ones see what is to be learnt, so they are not here."""
    taps_seed: int = 0
    """Of shuffled taps."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """On the adapter's input."""
    target_modules: str | None = None
    """Regular expression over whole module names; None: the attention projections of the decoder."""


class TrainConfig(_Section):
    """One training run."""

    data: str = Field(min_length=1)
    """`run:NAME` (the shards of that run), a folder of shards, a glob, or `hub:ORG/NAME`. The split `train`
    is read."""
    backbone: BackboneConfig
    adapter: AdapterConfig = AdapterConfig()
    context: int = Field(default=4096, ge=16)
    """Tokens of a row at most; a longer document is cut at a segment's border, and left out where no answer
    would be left."""
    packing: bool = True
    """Fill a row with several documents, none of which sees another; false: one document a row."""
    condition_dropout: float = Field(default=0.0, ge=0, le=1)
    """Share of rows that are shown without what stands before their first answer, in each epoch others: what
    guidance compares with."""
    image_tokens: int | None = Field(default=None, ge=1)
    """Patches of an image at most, marks not counted; larger ones are made smaller. None: the backbone's
    usual area. Chameleon and Emu2 have one shape."""
    image_floor: int = Field(default=256, ge=1)
    """A row that is too long has its images made smaller, down to so many patches each, before it is cut."""
    steps: int = Field(default=1000, ge=1)
    """Optimizer steps."""
    batch: int = Field(default=1, ge=1)
    """Rows of one pass, on each device; with packing a row is about `context` tokens."""
    accumulate: int = Field(default=8, ge=1)
    """Passes of one step."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Of AdamW, after warming up. Ours: the paper's is not known."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate grows from 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the learning rate after that; cosine ends at 0."""
    text_loss: float = Field(default=1.0, ge=0)
    """Weight of the mean loss of text tokens."""
    image_loss: float = Field(default=1.0, ge=0)
    """Weight of the mean loss of image tokens; each modality has its own mean, else 1,024 codes would drown
    100 words."""
    z_loss: float = Field(default=0.0, ge=0)
    """Weight of the mean squared log-normalizer, which keeps logits from drifting; 1e-5 is what Chameleon was
    trained with. 0 for none."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the frozen weights and of what is computed with them; the adapter is float32 always. auto: weights
    as stored, bfloat16 where the GPU can."""
    gradient_checkpointing: bool = False
    """Compute activations twice and keep few: about a third more time, a fraction of the memory."""
    save_every: int = Field(default=200, ge=1)
    """Steps between two checkpoints, from which a killed run goes on."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two lines of progress."""
    evaluate_every: int = Field(default=200, ge=0)
    """Steps between two validations on the split `validation` of the same data; 0 for none."""
    evaluate_rows: int = Field(default=200, ge=1)
    """Rows of it at most."""
    samples: int = Field(default=2, ge=0)
    """Rows of it whose answers are drawn at each validation, as an image to look at."""
    sample_tokens: int = Field(default=2100, ge=1)
    """Of such an answer at most: two images of Chameleon and some words. An answer of Emu3 wants 8,300 an
    image."""
    report_to: list[Literal["tensorboard", "wandb"]] = []
    """Beside `log.jsonl`. Each is an extra: `leafinstruct[tensorboard]`, `leafinstruct[wandb]`."""
    fsdp: dict[str, Any] | None = None
    """Options of the Trainer's FSDP2 (`fsdp_config`), {} for its defaults; None shares nothing but gradients.
    Takes effect under torchrun."""

    @property
    def shaping(self) -> dict[str, Any]:
        """What decides what is learnt: everything but where files lie, what is kept of memory and on disk,
        and what is logged."""
        return self.model_dump(
            mode="json", exclude={**dict.fromkeys(UNSHAPING, True), "backbone": {"weights", "decoder"}}
        )
