"""The rows of one run: those of the split `train`, and those of the split `validation` of the same
dataset."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch

from leafinstruct.backbones.backbone import Backbone, pad_id, unadapted
from leafinstruct.errors import BackboneError, SourceError
from leafinstruct.records import shards
from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train import processes
from leafinstruct.train.config import TrainConfig
from leafinstruct.train.data import tokens
from leafinstruct.train.data.images import Images
from leafinstruct.train.data.packing import Packed


class Data:
    """The encoded rows in the folder of a run. Call `make` first, in one process."""

    def __init__(self, config: TrainConfig, out: Artifact, runs: Path, seed: int) -> None:
        self.train, self.validation = Artifact(out.path / "tokens"), Artifact(out.path / "tokens-validation")
        self._config, self._runs, self._seed = config, runs, seed

    def make(
        self,
        backbone: Backbone,
        identity: str,
        files: Sequence[Path],
        validate: bool,
        log: Callable[[str], None],
    ) -> Mapping[str, int]:
        """Encode the rows that are not up to date. Returns the counts of the training rows.

        Raises SourceError when there are none, BackboneError when the backbone has no embedding for a token.
        """
        config = self._config
        images = Images(backbone, config.image_tokens, config.image_floor, self._runs / ".codes")
        counts = tokens.make(
            backbone,
            identity,
            files,
            config.context,
            self.train,
            lambda done, of: log(f"reading shards: {done} of {of}"),
            images,
        )
        for kind, count in images.repaired().get("repaired", {}).items():
            log(f"repaired: {count:,} {kind} were damaged and are encoded again")
        log(_summary(counts, config, self.training_rows()))
        self._check_vocabulary(backbone)
        if validate and config.evaluate_every:
            try:
                shards_there = self.validation_files()
            except SourceError as error:
                shutil.rmtree(self.validation.path, ignore_errors=True)
                log(f"no validation: {error}")
                return counts
            try:
                found = tokens.make(
                    backbone, identity, shards_there, config.context, self.validation, lambda *_: None, images
                )
            except SourceError as error:
                raise SourceError(
                    f"validation: {error}; to train without validation, set train.evaluate_every: 0"
                ) from error
            rows, lost = min(found["rows"], config.evaluate_rows), sum(found[name] for name in tokens.REASONS)
            more = f" ({lost:,} more are unusable)" if lost else ""
            log(
                f"validation: {rows:,} of {found['rows']:,} rows{more}, every {config.evaluate_every:,} "
                "steps and at the end"
            )
        return counts

    def _check_vocabulary(self, backbone: Backbone) -> None:
        size = int(backbone.model.get_input_embeddings().weight.shape[0])
        for part in self.train.parts():
            with pa.memory_map(str(self.train.file("tokens", part, ".arrow"))) as source:
                highest = pc.max(pc.list_flatten(pa.ipc.open_file(source).read_all()["ids"])).as_py() or 0
            if highest >= size:
                raise BackboneError(
                    f"the tokenizer gives id {highest:,}, but the model's vocabulary has {size:,}: they "
                    "belong to different backbones"
                )

    def training_rows(self) -> Packed:
        """Return the rows of all steps of the run on all devices, in order."""
        config = self._config
        length = config.steps * config.batch * config.accumulate * processes.state().num_processes
        return Packed(
            self.rows,
            length,
            self._seed,
            config.context if config.packing else None,
            config.condition_dropout,
        )

    @property
    def rows(self) -> tokens.Rows:
        """The encoded rows of the split `train`."""
        return tokens.Rows(self.train)

    def validation_rows(self) -> torch.utils.data.Subset[tokens.TokenRow] | None:
        """Return the rows that are validated, or None."""
        if not self._config.evaluate_every:
            return None
        rows = tokens.Rows(self.validation)
        wanted = range(min(len(rows), self._config.evaluate_rows))
        return torch.utils.data.Subset(rows, wanted) if wanted else None

    def validation_files(self) -> list[Path]:
        """Return the shards of the split `validation`. Raises SourceError when there is none."""
        return shards.files(self._config.data, self._runs, "validation")

    def collator(self, backbone: Backbone) -> tokens.Collator:
        """Return the collator for rows of this backbone."""
        width = unadapted(backbone.model).config.d_model if self._config.backbone.name == "emu2" else None
        return tokens.Collator(pad_id(backbone.model), width)


def _summary(counts: Mapping[str, int], config: TrainConfig, shown: Packed) -> str:
    rows = max(1, counts["rows"])
    names = {
        "cut": "cut",
        "smaller": "with smaller images",
        "too_long": "too long",
        "no_answer": "without an answer",
    }
    lost = [
        f"{counts[name]:,} {meaning}"
        for name, meaning in (names | {name: name for name in tokens.REASONS if name not in names}).items()
        if counts[name]
    ]
    packed = (
        f", packed into rows of {config.context:,} that are {shown.share:.0%} full" if config.packing else ""
    )
    return (
        f"{rows:,} rows of {counts['tokens'] / rows:,.0f} tokens in the mean"
        + (f" ({', '.join(lost)})" if lost else "")
        + f"{packed}, "
        f"{counts['images']:,} images, {counts['target_tokens']:,} target tokens; {config.steps:,} "
        f"steps see each row {shown.epochs:,.1f} times"
    )
