"""One training run: `runs/<name>/train/`.

    tokens/             rows as the model reads them (tokens); codes of their pictures stand in `runs/.codes/`, for all runs
    checkpoint-<step>/  the Trainer's: adapter, optimiser, schedule, random state; the last two
    adapter/            the trained adapter, as PEFT saves it
    fingerprint.json    what the run was started with; record.json: what it came to, written last

Running again goes on from the last checkpoint, and ends with the very adapter that an uninterrupted run has. A changed setting stops it: what was
learnt is too dear to be forgotten silently (`--rebuild` starts over).
"""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from leafinstruct.artifact import Artifact, digest, drift, one_build, save
from leafinstruct.errors import DriftError, RecipeError, TrainError
from leafinstruct.moss import MossConfig, MossConfigError
from leafinstruct.moss.match import count
from leafinstruct.train import contexts, shards, tokens
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.packing import Packed, check_attention
from leafinstruct.train.pictures import Pictures
from leafinstruct.vlg.backbone import unadapted
from leafinstruct.vlg.load import load

LARGE = 0.1
"""Share of the base's parameters above which an adapter must be asked for: it is rarely meant, and its optimiser needs twice its size again."""
KEPT = 2
"""Checkpoints."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Parameters of base and adapter; bytes of gradients and of AdamW's two moments, float32."""

    base: int
    trainable: int

    @property
    def optimiser_bytes(self) -> int:
        """Weights, gradients and two moments of what is trained."""
        return 16 * self.trainable

    @property
    def share(self) -> float:
        """Of the base."""
        return self.trainable / self.base

    def __str__(self) -> str:
        return (
            f"{self.trainable:,} trainable parameters, {self.share:.2%} of the base's {self.base:,}; "
            f"with gradients and AdamW {self.optimiser_bytes / 1e6:,.1f} MB"
        )


Told = Callable[[str], None]


def train(config: TrainConfig, directory: Path, seed: int, rebuild: bool, allow_large: bool, dry_run: bool, tell: Told) -> Path | None:
    """Train, or go on training. directory: `runs/<name>`; tell: given each line of progress. Returns the adapter's folder, None of a dry run.

    Raises the errors of leafinstruct: TrainError, DriftError, BackboneError, SourceError, SchemaError, RecipeError.
    """
    files = shards.files(config.data, directory.parent)
    backbone, odd = load(config.backbone.name, Path(config.backbone.weights), _path(config.backbone.decoder))
    if odd:
        raise TrainError(f"{config.backbone.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; `leaf doctor` tells more")
    if config.packing:
        check_attention(backbone.model)
    adapter, sizes = _adapter(config, backbone)
    tell(str(sizes))
    if sizes.share > LARGE and not (allow_large or dry_run):
        raise TrainError(f"the adapter has {sizes.share:.0%} of the base's parameters: lower its ranks, or say --allow-large")
    out = Artifact(directory / "train")
    with one_build(directory):
        if rebuild and not dry_run:
            shutil.rmtree(out.path, ignore_errors=True)
        rows = Artifact(out.path / "tokens")
        identity = digest({"name": config.backbone.name, "weights": _weights(Path(config.backbone.weights))})
        pictures = Pictures(backbone, config.picture_tokens, config.picture_floor, directory.parent / ".codes")
        counts = tokens.make(
            backbone, identity, files, config.context, rows, lambda done, of: tell(f"reading shards: {done} of {of}"), pictures
        )
        shown = _shown(config, tokens.Rows(rows), seed)
        tell(_rows_told(counts, config, shown))
        if dry_run:
            for line in contexts.lines(rows, counts, config.context):
                tell(line)
            return None
        fingerprint = {"train": config.shaping, "seed": seed, "weights": identity, "rows": [report["key"] for report in rows.reports()]}
        _check_drift(out, fingerprint)
        if out.record is not None:
            tell(f"nothing to do: {config.steps:,} steps are trained")
            return out.path / "adapter"
        out.begin(fingerprint)
        _fit(config, backbone, adapter, shown, out.path, seed, tell)
        save(out.path / "record.json", {"fingerprint": fingerprint, "counts": dict(counts), "parameters": sizes.trainable})
    return out.path / "adapter"


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None


def _adapter(config: TrainConfig, backbone: Any) -> tuple[MossConfig, Sizes]:
    """Raises RecipeError for settings that do not go together, or targets that hit nothing."""
    from leafinstruct.moss.model import default_targets

    settings = config.adapter.model_dump()
    settings["target_modules"] = settings["target_modules"] or default_targets(unadapted(backbone.model).config.model_type)
    try:
        adapter = MossConfig(**settings)
        trainable = count(backbone.model, adapter)
    except MossConfigError as error:
        raise RecipeError(f"train.adapter: {error}") from error
    return adapter, Sizes(sum(value.numel() for value in backbone.model.parameters()), trainable)


def _weights(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes of the files of a folder of weights: hashing tens of gigabytes at every start would cost minutes."""
    return sorted((path.relative_to(folder).as_posix(), path.stat().st_size) for path in folder.rglob("*") if path.is_file())


def _shown(config: TrainConfig, rows: tokens.Rows, seed: int) -> Packed:
    """The rows of the whole run, on one device."""
    length = config.steps * config.batch * config.accumulate
    return Packed(rows, length, seed, config.context if config.packing else None, config.condition_dropout)


def _rows_told(counts: Mapping[str, int], config: TrainConfig, shown: Packed) -> str:
    rows = max(1, counts["rows"])
    names = {"cut": "cut", "smaller": "with smaller pictures", "too_long": "too long", "no_answer": "without an answer"}
    lost = [
        f"{counts[name]:,} {said}"
        for name, said in (names | {name: name for name in tokens.REASONS if name not in names}).items()
        if counts[name]
    ]
    packed = f", packed into rows of {config.context:,} that are {shown.share:.0%} full" if config.packing else ""
    return (
        f"{rows:,} rows of {counts['tokens'] / rows:,.0f} tokens in the mean" + (f" ({', '.join(lost)})" if lost else "") + f"{packed}, "
        f"{counts['pictures']:,} pictures, {counts['said']:,} tokens to be said; {config.steps:,} steps see each row {shown.epochs:,.1f} times"
    )


def _check_drift(out: Artifact, fingerprint: dict[str, Any]) -> None:
    before = out.fingerprint
    if before is not None and (changes := drift(before, fingerprint)):
        raise DriftError(
            f"{out.path}: was begun with other settings: {'; '.join(changes[:3])}; --rebuild starts over, another name keeps both"
        )


def _fit(config: TrainConfig, backbone: Any, adapter: MossConfig, rows: Packed, folder: Path, seed: int, tell: Told) -> None:
    from peft import get_peft_model
    from transformers import set_seed
    from transformers.trainer_utils import get_last_checkpoint
    from transformers.utils import logging

    from leafinstruct.train.trainer import InterleavedTrainer, Telling

    set_seed(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft 0.21 asks by the old name
        model = get_peft_model(backbone.model, adapter)
    base = unadapted(model)
    model.peft_config["default"].base_model_name_or_path = base.name_or_path = (
        None  # else every checkpoint would hold a path of this machine
    )
    collator = tokens.Collator(_pad(base.config), getattr(base.config, "d_model", None) if config.backbone.name == "emu2" else None)
    weights = {"text": config.text_loss, "image": config.image_loss}
    arguments = _arguments(config, folder, seed)
    rows.length *= arguments.world_size
    trainer = InterleavedTrainer(
        model,
        arguments,
        train_dataset=rows,
        data_collator=collator,
        callbacks=[Telling(tell)],
        backbone=backbone,
        weights=weights,
    )
    last = get_last_checkpoint(str(folder))
    if last is not None:
        tell(f"going on from {Path(last).name}")
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # progress has a face of its own
    try:
        trainer.train(resume_from_checkpoint=last)
    except torch.OutOfMemoryError as error:
        raise TrainError(
            "out of memory: lower train.batch or train.context, or set train.gradient_checkpointing: true; checkpoints are kept"
        ) from error
    finally:
        logging.set_verbosity(loud)
    if trainer.is_world_process_zero():
        model.peft_config["default"].base_model_name_or_path = config.backbone.base
        model.save_pretrained(folder / "adapter", save_embedding_layers=False)  # "auto" would ask the Hub for the base


def _pad(config: Any) -> int:
    text = getattr(config, "text_config", config)
    found = next(number for number in (text.pad_token_id, config.pad_token_id, text.eos_token_id, 0) if number is not None)
    return int(found[0] if isinstance(found, list) else found)


def _arguments(config: TrainConfig, folder: Path, seed: int) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
        str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        warmup_steps=math.ceil(config.warmup * config.steps),
        lr_scheduler_type="cosine" if config.schedule == "cosine" else "constant_with_warmup",
        activation_checkpointing=config.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if config.gradient_checkpointing else None,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        save_steps=config.save_every,
        save_total_limit=KEPT,
        logging_steps=config.log_every,
        seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",  # the order is Packed's
        dataloader_pin_memory=torch.cuda.is_available(),
    )
