"""The HF Trainer with a loss for each modality. Everything else is its own: optimiser, schedule, accumulation, checkpoints, exact resume, torchrun.

loss = text_loss * mean over labelled text tokens + image_loss * mean over labelled patches        of each pass
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback

from leafinstruct.errors import TrainError
from leafinstruct.vlg.backbone import Backbone


class InterleavedTrainer(Trainer):
    """Give it a backbone whose model is adapted, and weights: text and image."""

    def __init__(self, *args: Any, backbone: Backbone, weights: Mapping[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remove_callback(PrinterCallback)  # progress has a face of its own
        self.model_accepts_loss_kwargs = False  # ours is a mean, so the Trainer divides by its passes
        self._backbone, self._weights = backbone, weights
        self._told: dict[str, list[Tensor]] = {"text": [], "image": []}

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:  # noqa: ARG002 - the Trainer's signature
        """See Trainer. Raises TrainError for a loss that is no number."""
        given = dict(inputs)
        labels = given.pop("labels")
        self._backbone.model = model
        losses = self._backbone.losses(given, labels)
        total = losses.value.sum() * 0.0
        for name, which in (("text", losses.text), ("image", losses.image)):
            if bool(which.any()):
                mean = losses.value[which].mean()
                self._told[name].append(mean.detach())
                total = total + self._weights[name] * mean
        if not torch.isfinite(total):
            raise TrainError(
                f"the loss is {total.item()} at step {self.state.global_step + 1}: the checkpoints before it are kept; "
                "lower train.learning_rate, then --rebuild"
            )
        return (total, {}) if return_outputs else total

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """See Trainer; with the means since the last line."""
        if "loss" in logs:
            for name, means in self._told.items():
                if means:
                    logs[f"{name}_loss"] = round(float(torch.stack(means).mean()), 4)
                    means.clear()
        super().log(logs, *args, **kwargs)


class Telling(TrainerCallback):
    """Hands each line of progress on."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, Any] | None = None, **___: Any) -> None:
        """A step's losses and learning rate."""
        if logs and "loss" in logs:
            said = ", ".join(
                f"{name.replace('_', ' ')} {float(logs[name]):.4g}" for name in ("text_loss", "image_loss", "learning_rate") if name in logs
            )
            self._tell(f"step {state.global_step:,} of {state.max_steps:,}: {said}")
