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
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from leafinstruct.backbones.backbone import Backbone
from leafinstruct.errors import DriftError, RecipeError, SourceError, TrainError
from leafinstruct.moss import MossConfig
from leafinstruct.records import shards
from leafinstruct.runtime.artifact import FORMAT, Artifact, drift
from leafinstruct.runtime.files import save
from leafinstruct.runtime.last_write import last_write
from leafinstruct.runtime.locks import one_build
from leafinstruct.runtime.record import Fingerprint
from leafinstruct.train import card, checkpoints, estimate, model, processes, reports, samples, weights
from leafinstruct.train.config import CHANGEABLE, TrainConfig
from leafinstruct.train.data import contexts
from leafinstruct.train.data.data import Data

if TYPE_CHECKING:
    from transformers import TrainingArguments

KEPT = 2
"""Number of checkpoints that are kept."""
HINT = (
    "set train.gradient_checkpointing: true and run again to continue with less memory; or lower train.batch "
    "or context and start over (--rebuild)"
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
    run = TrainingRun.of(config, directory, seed, files, log if first else lambda _: None)
    run.log(str(run.sizes))
    if not (allow_large or dry_run):
        model.check_size(config, run.sizes)
    with one_build(directory, "leaf train") if first else nullcontext():
        counts = run.prepare(rebuild, dry_run) if first else {}
        state.wait_for_everyone()
        model.cast(run.backbone.model, config.precision)
        if dry_run:
            if first:
                run.estimate(counts)
            return None
        if run.is_done():
            run.log(f"nothing to do: all {config.steps:,} steps are done")
            return run.adapter_folder if first else None
        state.wait_for_everyone()
        if first:
            run.out.begin(run.fingerprint)
        with estimate.explain_out_of_memory(HINT):
            run.fit()
        if first:
            run.finish(counts, template)
    return run.adapter_folder if first else None


@dataclass(frozen=True)
class TrainingRun:
    """What the steps of a run share, in one process.

    files: the shards; adapter, sizes: see model.adapter_of; data: the encoded rows; log: called with each
    line of progress. The steps, in order: prepare (first process), then estimate, or fit (all processes) and
    finish (first process).
    """

    config: TrainConfig
    seed: int
    out: Artifact
    files: Sequence[Path]
    backbone: Backbone
    adapter: MossConfig
    sizes: model.Sizes
    data: Data
    log: Log

    @classmethod
    def of(
        cls, config: TrainConfig, directory: Path, seed: int, files: Sequence[Path], log: Log
    ) -> TrainingRun:
        """Load the backbone. directory: `runs/<name>`. Raises BackboneError, TrainError or RecipeError."""
        backbone = model.load_backbone(config)
        adapter, sizes = model.adapter_of(config, backbone)
        out = Artifact(directory / "train")
        data = Data(config, out, directory.parent, seed)
        return cls(config, seed, out, files, backbone, adapter, sizes, data, log)

    @property
    def adapter_folder(self) -> Path:
        """Folder of the trained adapter."""
        return self.out.path / "adapter"

    @cached_property
    def identity(self) -> str:
        """Identity of the backbone's weights."""
        return weights.identity(self.config.backbone.name, self.config.backbone.weights)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """All that determines the adapter. The rows must be prepared."""
        return {
            "train": self.config.shaping,
            "seed": self.seed,
            "weights": self.identity,
            "rows": [report.key for report in self.data.train.reports()],
            "processes": processes.state().num_processes,
        }

    def prepare(self, rebuild: bool, dry_run: bool) -> dict[str, int]:
        """Encode the rows, then remove what must not be continued. Returns the counts of the rows."""
        try:
            counts = dict(self.data.make(self.backbone, self.identity, self.files, not dry_run, self.log))
        except SourceError:
            for line in contexts.fits(self.data.train, self.config.context) if dry_run else ():
                self.log(line)  # shows which context would be long enough
            raise
        # only now: if the data were unusable, the old run would be lost for nothing
        if rebuild and not dry_run:
            checkpoints.clear(self.out.path, (self.data.train.path, self.data.validation.path))
        checkpoints.tidy(self.out.path, self.log)
        return counts

    def estimate(self, counts: Mapping[str, int]) -> None:
        """Log what a dry run reports. counts: of `prepare`."""
        for line in contexts.lines(self.data.train, counts, self.config.context):
            self.log(line)
        adapted = model.adapted(self.backbone, self.adapter, self.seed)
        collator = self.data.collator(self.backbone)
        estimate.report(self.config, adapted, self.backbone, collator, self.data.rows, self.log)

    def is_done(self) -> bool:
        """Whether the run is complete. Raises DriftError when it was begun with other settings."""
        done = checkpoints.is_done(self.out, self.log)
        processes_before = (self.out.fingerprint or {}).get("processes")
        now = {**self.fingerprint, "processes": processes_before} if done else self.fingerprint
        _check_drift(self.out, now)
        return done

    def fit(self) -> None:
        """Train from the last checkpoint to the end, and save the adapter."""
        from transformers.utils import logging

        from leafinstruct.train.trainer import InterleavedTrainer

        config, data, folder = self.config, self.data, self.out.path
        collator = data.collator(self.backbone)
        adapted = model.adapted(self.backbone, self.adapter, self.seed)
        validation, last = data.validation_rows(), checkpoints.last(folder)
        if last is not None:
            checkpoints.check(last, adapted)
            self.log(f"continuing from {last.name}")
        sinks = self._sinks(checkpoints.step(last))
        wanted = config.samples if validation is not None else 0
        chosen = samples.choose(data.validation_files(), wanted, self.backbone, config) if wanted else []
        sample = partial(
            samples.write_step, config, self.backbone, chosen, folder / "samples", self.seed, sinks
        )
        trainer = InterleavedTrainer(
            adapted,
            _arguments(config, folder, self.seed, validation is not None),
            train_dataset=data.training_rows(),
            eval_dataset=validation,
            data_collator=collator,
            callbacks=[reports.Reporting(self.log, sinks, lambda: checkpoints.seal(folder, KEPT))],
            backbone=self.backbone,
            weights={"text": config.text_loss, "image": config.image_loss, "z": config.z_loss},
            samples=sample,
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
            adapted.peft_config["default"].base_model_name_or_path = config.backbone.known_as
            # save_embedding_layers="auto" would query the Hub for the base
            adapted.save_pretrained(str(self.adapter_folder), state_dict=whole, save_embedding_layers=False)

    def _sinks(self, step: int) -> list[reports.Sink]:
        """Return where the first process logs numbers. step: from which the run continues."""
        if not processes.state().is_main_process:
            return []
        settings = {**self.config.shaping, "data": card.dataset(self.config.data)}
        folder = self.out.path
        return reports.sinks(self.config.report_to, folder, folder.parent.name, settings, step)

    def finish(self, counts: Mapping[str, int], template: str | None) -> None:
        """Write the adapter's card, if there is a template, and, last, the run's record. counts: of
        `prepare`."""
        reached = reports.reached(self.out.path / "log.jsonl")
        record = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "counts": counts,
            "parameters": self.sizes.trainable,
            "reached": reached,
        }
        if template is not None:
            name, several = self.out.path.parent.name, processes.state().num_processes
            card.write(
                self.adapter_folder,
                template,
                self.config,
                name,
                self.files,
                counts,
                self.sizes.trainable,
                reached,
                several,
            )
        with last_write():
            save(self.out.path / "record.json", {**record, "adapter": checkpoints.sums(self.adapter_folder)})


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


def _check_drift(out: Artifact, fingerprint: Fingerprint) -> None:
    before = out.fingerprint or (out.record or {}).get("fingerprint")
    if before is None and (out.path / "fingerprint.json").exists():
        raise TrainError(
            f"{out.path}/fingerprint.json: is damaged, so the settings of the checkpoints are unknown; "
            "--rebuild starts over"
        )
    settings = before and before["train"]
    if before is not None and isinstance(settings, dict):  # earlier versions recorded more fields
        kept = {name: value for name, value in settings.items() if name not in CHANGEABLE}
        before = {**before, "train": kept}
    if before is not None and (changes := drift(before, fingerprint)):
        raise DriftError(
            f"{out.path}: was begun with other settings: {'; '.join(changes[:3])}; --rebuild starts "
            "over, another name keeps both"
        )


def _arguments(config: TrainConfig, folder: Path, seed: int, evaluate: bool) -> TrainingArguments:
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
        fsdp_config=None if config.fsdp is None else dict(config.fsdp),  # which TrainingArguments changes
        save_steps=config.save_every,
        logging_steps=config.log_every,
        seed=seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",  # Packed shuffles
        dataloader_pin_memory=torch.cuda.is_available(),
    )
