"""One training run: `runs/<name>/train/`.

    tokens/             rows as the model reads them (tokens); tokens-validation/ likewise; codes of their images stand in `runs/.codes/`,
                        for all runs
    checkpoint-<step>/  the Trainer's: adapter, optimizer, schedule, random state; the last two
    samples/step-<n>/   answers on validation rows, drawn (samples)
    log.jsonl           every line of progress, as numbers (reports)
    adapter/            the trained adapter, as PEFT saves it, and its card
    fingerprint.json    what the run was started with; record.json: what it came to, written last

Running again goes on from the last checkpoint, and ends with the very adapter that an uninterrupted run has.
A changed setting stops it: what was learnt is too dear to be forgotten silently. `--rebuild` starts over,
once the data can be used; rows that stand are not encoded again. Under torchrun and accelerate each process
runs `train`; the first one writes and speaks (processes).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from leafinstruct.backbones import tiny
from leafinstruct.backbones.backbone import unadapted
from leafinstruct.backbones.generate import positions
from leafinstruct.backbones.load import load
from leafinstruct.errors import DriftError, RecipeError, SourceError, TrainError
from leafinstruct.moss import MossConfig, MossConfigError
from leafinstruct.moss.match import count
from leafinstruct.records import shards
from leafinstruct.runtime.artifact import FORMAT, Artifact, drift, one_build, save
from leafinstruct.runtime.last_write import last_write
from leafinstruct.train import card, checkpoints, estimate, processes, reports, samples, weights
from leafinstruct.train.config import UNSHAPING, TrainConfig
from leafinstruct.train.data import contexts
from leafinstruct.train.data.data import Data
from leafinstruct.train.data.packing import check_attention

LARGE = 0.1
"""Share of the base's parameters above which an adapter must be asked for: it is rarely meant, and its
optimizer needs twice its size again. Of the packaged base, which is tiny, any may be had."""
KEPT = 2
"""Checkpoints."""
HINT = (
    "train.gradient_checkpointing: true goes on from the last checkpoint with less; or lower train.batch "
    "or context and start over (--rebuild)"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Parameters of base and adapter; bytes of gradients and of AdamW's two moments, float32."""

    base: int
    trainable: int

    @property
    def optimizer_bytes(self) -> int:
        """Weights, gradients and two moments of what is trained."""
        return 16 * self.trainable

    @property
    def share(self) -> float:
        """Of the base."""
        return self.trainable / self.base

    def __str__(self) -> str:
        return (
            f"{self.trainable:,} trainable parameters, {self.share:.2%} of the base's {self.base:,}; "
            f"with gradients and AdamW {self.optimizer_bytes / 1e6:,.1f} MB"
        )


Told = Callable[[str], None]


def train(
    config: TrainConfig,
    directory: Path,
    seed: int,
    rebuild: bool,
    allow_large: bool,
    dry_run: bool,
    log: Told,
    template: str | None = None,
    arguments: Sequence[str] = ("train", "RECIPE"),
) -> Path | None:
    """Train, or go on training. directory: `runs/<name>`; tell: given each line of progress; template: of the
    adapter's card, None for no card; arguments: of `leaf`, for the message that says how to start it on
    several GPUs.

    Returns the adapter's folder; None of a dry run, and in every process but the first. Raises the errors of
    leafinstruct: TrainError, DriftError, BackboneError, SourceError, SchemaError, RecipeError.
    """
    _check_machine(config, dry_run, arguments)
    files = shards.files(config.data, directory.parent)
    state = processes.state()
    if processes.alone():
        processes.keep_freed_memory()
    first = state.is_main_process
    log = log if first else lambda _: None
    backbone = _backbone(config)
    adapter, sizes = _adapter(config, backbone)
    log(str(sizes))
    if sizes.share > LARGE and config.backbone.weights != tiny.NAME and not (allow_large or dry_run):
        raise TrainError(
            f"the adapter has {sizes.share:.0%} of the base's parameters: lower its ranks, or say "
            "--allow-large"
        )
    out = Artifact(directory / "train")
    with one_build(directory, "leaf train") if first else nullcontext():
        data, counts = Data(config, out, directory.parent, seed), dict[str, int]()
        identity = weights.identity(config.backbone.name, config.backbone.weights)
        if first:
            try:
                counts = dict(data.make(backbone, identity, files, not dry_run, log))
            except SourceError:
                for line in contexts.fits(data.train, config.context) if dry_run else ():
                    log(line)  # which context would do
                raise
            if rebuild and not dry_run:  # not before: the data may be of no use, and then nothing is lost
                checkpoints.forget(out.path, (data.train.path, data.validation.path))
            checkpoints.tidy(out.path, log)
        state.wait_for_everyone()
        _cast(backbone.model, config.precision)
        if dry_run:
            if first:
                for line in contexts.lines(data.train, counts, config.context):
                    log(line)
                estimate.report(
                    config,
                    _adapted(backbone, adapter, seed),
                    backbone,
                    data.collator(backbone),
                    data.rows,
                    log,
                )
            return None
        fingerprint = {
            "train": config.shaping,
            "seed": seed,
            "weights": identity,
            "rows": [report["key"] for report in data.train.reports()],
            "processes": state.num_processes,
        }
        done = checkpoints.is_done(out, log)
        _check_drift(
            out,
            {**fingerprint, "processes": (out.fingerprint or {}).get("processes")} if done else fingerprint,
        )
        if done:
            log(f"nothing to do: {config.steps:,} steps are trained")
            return out.path / "adapter" if first else None
        state.wait_for_everyone()
        if first:
            out.begin(fingerprint)
        with estimate.explain_out_of_memory(HINT):
            _fit(config, backbone, adapter, data, out.path, seed, log)
        if first:
            reached = reports.reached(out.path / "log.jsonl")
            if template is not None:
                card.write(
                    out.path / "adapter",
                    template,
                    config,
                    directory.name,
                    files,
                    counts,
                    sizes.trainable,
                    reached,
                    state.num_processes,
                )
            record = {
                "format": FORMAT,
                "fingerprint": fingerprint,
                "counts": counts,
                "parameters": sizes.trainable,
                "reached": reached,
            }
            with last_write():
                save(out.path / "record.json", {**record, "adapter": checkpoints.sums(out.path / "adapter")})
    return out.path / "adapter" if first else None


def _check_machine(config: TrainConfig, dry_run: bool, arguments: Sequence[str]) -> None:
    """Before anything is loaded."""
    if not dry_run:  # which needs one GPU
        processes.check_gpus(arguments)
    reports.check(config.report_to)
    if config.fsdp is not None and not dry_run and processes.state().distributed_type in ("NO", "MULTI_CPU"):
        raise RecipeError(
            "train.fsdp: accelerate shares weights out over several GPUs only, and here it would "
            "silently not; leave it out"
        )


def _backbone(config: TrainConfig) -> Any:
    given = config.backbone
    backbone, odd = load(
        given.name, Path(given.weights), Path(given.decoder) if given.decoder is not None else None
    )
    if odd:
        raise TrainError(
            f"{given.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; `leaf doctor` "
            "tells more"
        )
    if config.packing:
        check_attention(backbone.model)
    if config.context > (most := positions(backbone)):
        raise RecipeError(
            f"train.context: {config.context:,} tokens, and the model has {most:,} positions; lower it"
        )
    return backbone


def _adapter(config: TrainConfig, backbone: Any) -> tuple[MossConfig, Sizes]:
    """Raises RecipeError for settings that do not go together, or targets that hit nothing."""
    from leafinstruct.moss.model import default_targets

    settings = config.adapter.model_dump()
    settings["target_modules"] = settings["target_modules"] or default_targets(
        unadapted(backbone.model).config.model_type
    )
    try:
        adapter = MossConfig(**settings)
        trainable = count(backbone.model, adapter)
    except MossConfigError as error:
        raise RecipeError(f"train.adapter: {error}") from error
    return adapter, Sizes(sum(value.numel() for value in backbone.model.parameters()), trainable)


def _check_drift(out: Artifact, fingerprint: dict[str, Any]) -> None:
    before = out.fingerprint or (out.record or {}).get("fingerprint")
    if before is None and (out.path / "fingerprint.json").exists():
        raise TrainError(
            f"{out.path}/fingerprint.json: is damaged, so nobody knows which settings the "
            "checkpoints have; --rebuild starts over"
        )
    if before is not None:  # of a version that counted more settings among them
        before = {
            **before,
            "train": {name: value for name, value in before["train"].items() if name not in UNSHAPING},
        }
    if before is not None and (changes := drift(before, fingerprint)):
        raise DriftError(
            f"{out.path}: was begun with other settings: {'; '.join(changes[:3])}; --rebuild starts "
            "over, another name keeps both"
        )


def _cast(model: Any, precision: str) -> None:
    """The frozen weights; buffers stay, because angles of rotary embeddings in bfloat16 are wrong at long
    contexts."""
    if precision != "auto":
        for value in model.parameters():
            value.data = value.data.to(getattr(torch, precision))


def _adapted(backbone: Any, adapter: MossConfig, seed: int) -> Any:
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)
    with warnings.catch_warnings():
        # peft 0.21 asks by the old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model = get_peft_model(backbone.model, adapter)
    base = unadapted(model)
    model.peft_config["default"].base_model_name_or_path = base.name_or_path = (
        None  # else every checkpoint would hold a path of this machine
    )
    return model


def _fit(
    config: TrainConfig, backbone: Any, adapter: MossConfig, data: Data, folder: Path, seed: int, log: Told
) -> None:
    from transformers.utils import logging

    from leafinstruct.train.trainer import InterleavedTrainer

    collator = data.collator(backbone)
    model = _adapted(backbone, adapter, seed)
    held_out, last = data.held_out(), checkpoints.last(folder)
    if last is not None:
        checkpoints.check(last, model)
        log(f"going on from {last.name}")
    first = processes.state().is_main_process
    settings = {**config.shaping, "data": card.dataset(config.data)}
    sinks = (
        reports.sinks(config.report_to, folder, folder.parent.name, settings, checkpoints.step(last))
        if first
        else []
    )
    wanted = config.samples if held_out is not None else 0
    chosen = samples.choose(data.validation_files(), wanted, backbone, config) if wanted else []
    trainer = InterleavedTrainer(
        model,
        _arguments(config, folder, seed, held_out is not None),
        train_dataset=data.shown(),
        eval_dataset=held_out,
        data_collator=collator,
        callbacks=[reports.Reporting(log, sinks, lambda: checkpoints.saved(folder, KEPT))],
        backbone=backbone,
        weights={"text": config.text_loss, "image": config.image_loss, "z": config.z_loss},
        samples=partial(_draw, config, backbone, chosen, folder / "samples", seed, sinks),
    )
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # progress has a face of its own
    try:
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    finally:
        logging.set_verbosity(loud)
        for sink in sinks:
            sink.close()
    whole = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        model.peft_config["default"].base_model_name_or_path = config.backbone.known_as
        # "auto" would ask the Hub for the base
        model.save_pretrained(folder / "adapter", state_dict=whole, save_embedding_layers=False)


def _draw(
    config: TrainConfig,
    backbone: Any,
    chosen: list[samples.Sample],
    folder: Path,
    seed: int,
    sinks: list[reports.Sink],
    step: int,
) -> None:
    """The samples of one step. Shared-out weights are whole only while every process computes, so then each
    draws, and the first one writes."""
    first = processes.state().is_main_process
    if not first and config.fsdp is None:
        return
    for number, sample in enumerate(chosen, 1):
        said = samples.answer(backbone, sample, config.sample_tokens, config.context, seed)
        if first:
            path = samples.write(folder, number, sample, said, step)
            for sink in sinks:
                sink.image(step, str(number), path)


def _arguments(config: TrainConfig, folder: Path, seed: int, evaluate: bool) -> Any:
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
        bf16=processes.in_bfloat16(config.precision),
        use_cpu=processes.alone(),
        eval_strategy="steps" if evaluate else "no",
        eval_steps=config.evaluate_every if evaluate else None,
        per_device_eval_batch_size=config.batch,
        ddp_find_unused_parameters=False,  # the adapter gives zeros where a modality is absent
        fsdp=config.fsdp is not None,
        fsdp_config=config.fsdp,
        save_steps=config.save_every,
        logging_steps=config.log_every,
        seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",  # the order is Packed's
        dataloader_pin_memory=torch.cuda.is_available(),
    )
