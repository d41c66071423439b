"""The HF Trainer with one loss per modality and its own validation. Optimizer, schedule, accumulation,
checkpoints, exact resume, torchrun and FSDP are the Trainer's.

    loss = text_loss * mean over labeled text tokens + image_loss * mean over labeled patches
           + z_loss * mean squared log-normalizer

Each mean is over the tokens of the whole optimizer step: all its passes, on all processes. So the gradient
does not depend on how the rows of a step are split into passes and processes. A mean of the means of passes
would: a patch in a pass with few patches would count more than one in a full pass. Tokens are counted before
the first pass of a step, because each pass needs the sum; over several processes this is one reduction of
three numbers.

The z term keeps logits from drifting: a constant added to all of them changes no cross-entropy, but it costs
precision in bf16 (Chameleon, arXiv 2405.09818). Validation takes its rows in order and uses no random number,
so its frequency does not change the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PrinterCallback, Trainer

from leafinstruct.backbones.backbone import Backbone
from leafinstruct.errors import TrainError
from leafinstruct.train import processes
from leafinstruct.train.tally import Tally


class InterleavedTrainer(Trainer):
    """Trainer of an adapted backbone. weights: of the losses text, image and z; samples: called with the step
    after each validation."""

    def __init__(
        self,
        *args: Any,
        backbone: Backbone,
        weights: Mapping[str, float],
        samples: Callable[[int], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.args.n_gpu > 1:
            raise processes.one_process_for(self.args.n_gpu)
        self.remove_callback(PrinterCallback)  # reports.Reporting logs instead
        self.model_accepts_loss_kwargs = False  # tokens are counted by get_batch_samples, for each modality
        self.loss_is_scaled_for_ga = True  # the Trainer would divide by the number of passes
        self._backbone, self._weights, self._samples = backbone, weights, samples
        self._begin = backbone.image_layout(None).begin
        self._tally, self._pace = Tally(), Pace()
        # labeled tokens of the current step, on all processes
        self._counts = torch.zeros(3, dtype=torch.long, device=self.args.device)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,  # noqa: ARG002
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """See Trainer. Raises TrainError for a loss that is not finite."""
        given = dict(inputs)
        labels = given.pop("labels")
        self._backbone.model = model
        losses = self._backbone.losses(given, labels)
        # The gradients of several processes are averaged, but their sum is needed.
        text, image, ids = (self._counts.clamp(min=1) / self.accelerator.num_processes).unbind()
        total = self._weights["text"] * losses.value[losses.text].sum() / text
        total = total + self._weights["image"] * losses.value[losses.image].sum() / image
        if self._weights["z"]:
            total = total + self._weights["z"] * losses.norm[losses.ids].square().sum() / ids
        self._check(total, "the loss")
        self._tally.add(losses, labels, self._begin)
        return (total, {}) if return_outputs else total

    def _counted(self, labels: Tensor) -> Tensor:
        """Return the numbers of labeled text tokens, patches and ids of a batch, (3,) int64."""
        found = self._backbone.targets(labels.to(self.args.device))
        return torch.stack([found.text.sum(), found.image.sum(), found.ids.sum()])

    def _check(self, number: Tensor, what: str) -> None:
        value = float(number.detach())
        if not math.isfinite(value):
            raise TrainError(
                f"{what} is {value} at step {self.state.global_step + 1}; earlier checkpoints are "
                "kept. Lower "
                "train.learning_rate, and give the recipe another name or start over with --rebuild"
            )

    def _init_training_state(self, max_steps: int, *args: object, **kwargs: object) -> tuple[int, int]:
        """See Trainer, which would take the intervals of logging, saving and validation from a checkpoint;
        those of the recipe apply."""
        found: tuple[int, int] = super()._init_training_state(max_steps, *args, **kwargs)
        self.state.compute_steps(self.args, max_steps)
        return found

    def _clip_grad_norm(self, model: nn.Module) -> Tensor | None:
        """See Trainer. Checks the norm: a finite loss can have gradients that are not finite, which would
        spoil the next checkpoint."""
        norm: Tensor | None = super()._clip_grad_norm(model)
        if norm is not None:
            self._check(norm, "the norm of the gradients")
        return norm

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Tensor]], Tensor | int | None]:
        """See Trainer. Counts the labeled tokens of the step, and the time that the batches take as time
        spent waiting for data."""
        began = time.monotonic()
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._pace.waited += time.monotonic() - began
        self._counts = self._together(
            sum((self._counted(batch["labels"]) for batch in batches), self._counts.new_zeros(3))
        )
        for batch in batches:
            self._pace.count(batch.pop("lengths"), batch["input_ids"], self._begin)
        return batches, items

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """See Trainer. Adds the means and rates since the last line."""
        if "loss" in logs:
            logs.update(self._tally.means(self._together, self.args.device))
            logs.update(self._pace.rates(self._together, self.args.device))
        super().log(logs, start_time)

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Compute the losses of the validation rows, named `eval_...`, and generate samples. Rows are divided
        among the processes, each of which runs the same number of passes."""
        began, found = time.monotonic(), Tally()
        ranks, rank, size = (
            self.args.world_size,
            self.args.process_index,
            self.args.per_device_eval_batch_size,
        )
        self.model.eval()
        for first in range(0, len(self.eval_dataset), ranks * size):
            mine = range(first + rank * size, min(first + (rank + 1) * size, len(self.eval_dataset)))
            batch = self._prepare_inputs(
                self.data_collator([self.eval_dataset[number] for number in mine or [0]])
            )
            labels, _ = batch.pop("labels"), batch.pop("lengths")
            self._backbone.model = self.model
            with torch.no_grad(), self.compute_loss_context_manager():
                found.add(self._backbone.losses(batch, labels), labels, self._begin, weight=float(bool(mine)))
        means = {
            f"eval_{name}": value for name, value in found.means(self._together, self.args.device).items()
        }
        means["eval_loss"] = sum(
            self._weights[name] * means.get(f"eval_{name}_loss", 0.0) for name in ("text", "image")
        )
        self.log(means)
        self._backbone.model = self.model
        self._samples(self.state.global_step)
        self.model.train()
        # resets control.should_evaluate
        self.callback_handler.on_evaluate(self.args, self.state, self.control, means)
        self._pace.pause(time.monotonic() - began)
        return means

    def _together(self, sums: Tensor) -> Tensor:
        found: Tensor = self.accelerator.reduce(sums, reduction="sum")
        return found


class Pace:
    """Speed since the last log line, without padding and validation."""

    def __init__(self) -> None:
        self.waited = 0.0
        self._began, self._counts = time.monotonic(), list[Tensor]()

    def count(self, lengths: Tensor, ids: Tensor, begin: int) -> None:
        """Count a batch. lengths: (B,); ids: (B, T), padded on the right."""
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        self._counts.append(torch.stack([lengths.sum(), ((ids == begin) & real).sum()]))

    def pause(self, seconds: float) -> None:
        """Exclude time that was spent on something else."""
        self._began += seconds

    def rates(self, reduce: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """Return tokens_per_second and images_per_second of all processes, and waiting, the share of this
        process's time spent waiting for data. reduce: sums over processes."""
        counts = (
            torch.stack(self._counts).sum(0)
            if self._counts
            else torch.zeros(2, dtype=torch.long, device=device)
        )
        tokens, images = reduce(counts).tolist()
        seconds = max(time.monotonic() - self._began, 1e-6)
        found = {
            "tokens_per_second": tokens / seconds,
            "images_per_second": images / seconds,
            "waiting": min(1.0, self.waited / seconds),
        }
        self.waited, self._began, self._counts = 0.0, time.monotonic(), []
        return found
