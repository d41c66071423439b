"""One training run: `runs/<name>/train/`.

    tokens/             encoded rows (tokens); tokens-validation/ likewise; the codes of their images are in
                        `runs/.codes/`, for all runs
    checkpoint-<step>/  the Trainer's: adapter, optimizer, schedule, random state; the last two are kept
    samples/step-<n>/   answers to validation rows, as images (samples)
    log.jsonl           the numbers of every log line (reports)
    adapter/            the trained adapter, as PEFT saves it, and its card
    fingerprint.json    the settings of the run; record.json: its result, written last

A run that is started again continues from the last checkpoint, and ends with the same adapter as an
uninterrupted run. Changed settings stop it with an error, because a trained adapter is too expensive to be
discarded silently. `--rebuild` starts over, once the data is known to be usable; encoded rows are kept. Under
torchrun and accelerate each process runs `train`; the first one writes and logs (processes).
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
from leafinstruct.runtime.artifact import FORMAT, Artifact, drift
from leafinstruct.runtime.files import save
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import one_build
from leafinstruct.train import card, checkpoints, estimate, processes, reports, samples, weights
from leafinstruct.train.config import CHANGEABLE, TrainConfig
from leafinstruct.train.data import contexts
from leafinstruct.train.data.data import Data
from leafinstruct.train.data.packing import check_attention

LARGE = 0.1
"""Share of the base's parameters above which an adapter needs `--allow-large`: it is rarely intended, and its
optimizer takes twice its size again. The packaged base is tiny and has no limit."""
KEPT = 2
"""Number of checkpoints that are kept."""
HINT = (
    "set train.gradient_checkpointing: true and run again to continue with less memory; or lower train.batch "
    "or context and start over (--rebuild)"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of parameters of base and adapter."""

    base: int
    trainable: int

    @property
    def optimizer_bytes(self) -> int:
        """Bytes of the adapter's weights, gradients and AdamW's two moments, float32."""
        return 16 * self.trainable

    @property
    def share(self) -> float:
        """Trainable parameters as a share of the base's."""
        return self.trainable / self.base

    def __str__(self) -> str:
        return (
            f"{self.trainable:,} trainable parameters, {self.share:.2%} of the base's {self.base:,}; "
            f"with gradients and AdamW {self.optimizer_bytes / 1e6:,.1f} MB"
        )


Log = Callable[[str], None]


def train(
    config: TrainConfig,
    directory: Path,
    seed: int,
    rebuild: bool,
    allow_large: bool,
    dry_run: bool,
    log: Log,
    template: str | None = None,
    arguments: Sequence[str] = ("train", "RECIPE"),
) -> Path | None:
    """Train, or continue a run. directory: `runs/<name>`; log: called with each line of progress; template:
    of the adapter's card, None for no card; arguments: those of `leaf`, for the command that uses several
    GPUs.

    Returns the adapter's folder; None for a dry run, and in every process but the first. Raises the errors of
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
    if not (allow_large or dry_run):
        _check_size(config, sizes)
    out = Artifact(directory / "train")
    with one_build(directory, "leaf train") if first else nullcontext():
        data, counts = Data(config, out, directory.parent, seed), dict[str, int]()
        identity = weights.identity(config.backbone.name, config.backbone.weights)
        if first:
            counts = _prepare(config, data, backbone, identity, files, out, rebuild, dry_run, log)
        state.wait_for_everyone()
        _cast(backbone.model, config.precision)
        if dry_run:
            if first:
                _estimate(config, backbone, adapter, data, counts, seed, log)
            return None
        fingerprint = {
            "train": config.shaping,
            "seed": seed,
            "weights": identity,
            "rows": [report["key"] for report in data.train.reports()],
            "processes": state.num_processes,
        }
        if _is_done(out, fingerprint, log):
            log(f"nothing to do: all {config.steps:,} steps are done")
            return out.path / "adapter" if first else None
        state.wait_for_everyone()
        if first:
            out.begin(fingerprint)
        with estimate.explain_out_of_memory(HINT):
            _fit(config, backbone, adapter, data, out.path, seed, log)
        if first:
            _finish(config, out, fingerprint, files, counts, sizes.trainable, template)
    return out.path / "adapter" if first else None


def _check_size(config: TrainConfig, sizes: Sizes) -> None:
    if sizes.share > LARGE and config.backbone.weights != tiny.NAME:
        raise TrainError(
            f"the adapter has {sizes.share:.0%} of the base's parameters: lower its ranks, or pass "
            "--allow-large"
        )


def _prepare(
    config: TrainConfig,
    data: Data,
    backbone: Any,
    identity: str,
    files: list[Path],
    out: Artifact,
    rebuild: bool,
    dry_run: bool,
    log: Log,
) -> dict[str, int]:
    """Encode the rows, then remove what must not be continued. Returns the counts of the rows."""
    try:
        counts = dict(data.make(backbone, identity, files, not dry_run, log))
    except SourceError:
        for line in contexts.fits(data.train, config.context) if dry_run else ():
            log(line)  # shows which context would be long enough
        raise
    if rebuild and not dry_run:  # only now: if the data were unusable, the old run would be lost for nothing
        checkpoints.clear(out.path, (data.train.path, data.validation.path))
    checkpoints.tidy(out.path, log)
    return counts


def _estimate(
    config: TrainConfig,
    backbone: Any,
    adapter: MossConfig,
    data: Data,
    counts: dict[str, int],
    seed: int,
    log: Log,
) -> None:
    """Log what a dry run reports."""
    for line in contexts.lines(data.train, counts, config.context):
        log(line)
    adapted = _adapted(backbone, adapter, seed)
    estimate.report(config, adapted, backbone, data.collator(backbone), data.rows, log)


def _is_done(out: Artifact, fingerprint: dict[str, Any], log: Log) -> bool:
    """Whether the run is complete. Raises DriftError when it was begun with other settings."""
    done = checkpoints.is_done(out, log)
    processes_before = (out.fingerprint or {}).get("processes")
    _check_drift(out, {**fingerprint, "processes": processes_before} if done else fingerprint)
    return done


def _finish(
    config: TrainConfig,
    out: Artifact,
    fingerprint: dict[str, Any],
    files: Sequence[Path],
    counts: dict[str, int],
    trainable: int,
    template: str | None,
) -> None:
    """Write the adapter's card and, last, the run's record."""
    adapter = out.path / "adapter"
    reached = reports.reached(out.path / "log.jsonl")
    if template is not None:
        run = out.path.parent.name
        card.write(
            adapter, template, config, run, files, counts, trainable, reached, fingerprint["processes"]
        )
    record = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "counts": counts,
        "parameters": trainable,
        "reached": reached,
    }
    with last_write():
        save(out.path / "record.json", {**record, "adapter": checkpoints.sums(adapter)})


def _check_machine(config: TrainConfig, dry_run: bool, arguments: Sequence[str]) -> None:
    """Check devices and packages before anything is loaded."""
    if not dry_run:  # a dry run uses one GPU
        processes.check_gpus(arguments)
    reports.check(config.report_to)
    if config.fsdp is not None and not dry_run and processes.state().distributed_type in ("NO", "MULTI_CPU"):
        raise RecipeError(
            "train.fsdp: accelerate only shards weights over several GPUs and would silently ignore this "
            "setting here; leave it out"
        )


def _backbone(config: TrainConfig) -> Any:
    given = config.backbone
    backbone, odd = load(
        given.name, Path(given.weights), Path(given.decoder) if given.decoder is not None else None
    )
    if odd:
        raise TrainError(
            f"{given.weights}: {len(odd)} keys differ from the model's, first {odd[0]}; run `leaf doctor` "
            "for details"
        )
    if config.packing:
        check_attention(backbone.model)
    if config.context > (most := positions(backbone)):
        raise RecipeError(
            f"train.context: {config.context:,} tokens, but the model has {most:,} positions; lower it"
        )
    return backbone


def _adapter(config: TrainConfig, backbone: Any) -> tuple[MossConfig, Sizes]:
    """Return the adapter's settings and size. Raises RecipeError for incompatible settings, or target_modules
    that match nothing."""
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
            f"{out.path}/fingerprint.json: is damaged, so the settings of the checkpoints are unknown; "
            "--rebuild starts over"
        )
    if before is not None:  # earlier versions recorded more fields
        before = {
            **before,
            "train": {name: value for name, value in before["train"].items() if name not in CHANGEABLE},
        }
    if before is not None and (changes := drift(before, fingerprint)):
        raise DriftError(
            f"{out.path}: was begun with other settings: {'; '.join(changes[:3])}; --rebuild starts "
            "over, another name keeps both"
        )


def _cast(model: Any, precision: str) -> None:
    """Convert the frozen weights. Buffers keep their type, because angles of rotary embeddings in bfloat16
    are wrong at long contexts."""
    if precision != "auto":
        for value in model.parameters():
            value.data = value.data.to(getattr(torch, precision))


def _adapted(backbone: Any, adapter: MossConfig, seed: int) -> Any:
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)
    with warnings.catch_warnings():
        # peft 0.21 uses the old name
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model = get_peft_model(backbone.model, adapter)
    base = unadapted(model)
    model.peft_config["default"].base_model_name_or_path = base.name_or_path = (
        None  # otherwise every checkpoint would contain a path of this machine
    )
    return model


def _fit(
    config: TrainConfig, backbone: Any, adapter: MossConfig, data: Data, folder: Path, seed: int, log: Log
) -> None:
    from transformers.utils import logging

    from leafinstruct.train.trainer import InterleavedTrainer

    collator = data.collator(backbone)
    model = _adapted(backbone, adapter, seed)
    validation, last = data.validation_rows(), checkpoints.last(folder)
    if last is not None:
        checkpoints.check(last, model)
        log(f"continuing from {last.name}")
    first = processes.state().is_main_process
    settings = {**config.shaping, "data": card.dataset(config.data)}
    sinks = (
        reports.sinks(config.report_to, folder, folder.parent.name, settings, checkpoints.step(last))
        if first
        else []
    )
    wanted = config.samples if validation is not None else 0
    chosen = samples.choose(data.validation_files(), wanted, backbone, config) if wanted else []
    trainer = InterleavedTrainer(
        model,
        _arguments(config, folder, seed, validation is not None),
        train_dataset=data.training_rows(),
        eval_dataset=validation,
        data_collator=collator,
        callbacks=[reports.Reporting(log, sinks, lambda: checkpoints.seal(folder, KEPT))],
        backbone=backbone,
        weights={"text": config.text_loss, "image": config.image_loss, "z": config.z_loss},
        samples=partial(samples.write_step, config, backbone, chosen, folder / "samples", seed, sinks),
    )
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # reports.Reporting logs instead
    try:
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    finally:
        logging.set_verbosity(verbosity)
        for sink in sinks:
            sink.close()
    whole = trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        model.peft_config["default"].base_model_name_or_path = config.backbone.known_as
        # save_embedding_layers="auto" would query the Hub for the base
        model.save_pretrained(folder / "adapter", state_dict=whole, save_embedding_layers=False)


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
        ddp_find_unused_parameters=False,  # every parameter has a gradient, zero for an absent modality
        fsdp=config.fsdp is not None,
        fsdp_config=config.fsdp,
        save_steps=config.save_every,
        logging_steps=config.log_every,
        seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",  # Packed shuffles
        dataloader_pin_memory=torch.cuda.is_available(),
    )
