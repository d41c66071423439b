"""Log progress: a line for the user, `log.jsonl` in the run's folder, and TensorBoard or Weights & Biases.

The Trainer's own callbacks are not used, because they read settings from the environment, upload paths of
this machine, and write each step twice when a killed run continues. Here, lines after the checkpoint are
removed first. Only numbers and the sheets of samples are logged, never text of a row.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from leafinstruct._quiet_import import quiet
from leafinstruct.errors import RecipeError, TrainError
from leafinstruct.runtime.files import writing
from leafinstruct.train.tally import IMAGES

TRAINING = ("text_loss", "image_loss", "learning_rate")
VALIDATION = (
    "eval_text_loss",
    "eval_image_loss",
    *(f"eval_image_loss_{number}" for number in range(1, IMAGES + 1)),
)


def check(names: Sequence[str]) -> None:
    """Raise RecipeError when a package of `train.report_to` is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise RecipeError(f"train.report_to: {name} is not installed; pip install 'leafinstruct[{name}]'")


class Sink(Protocol):
    """A destination of logged numbers and images."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None: ...

    def image(self, step: int, name: str, path: Path) -> None: ...

    def close(self) -> None: ...


def sinks(
    names: Sequence[str], folder: Path, run: str, settings: Mapping[str, object], step: int
) -> list[Sink]:
    """Return the log and the named sinks. folder: the run's; step: the step from which the run continues."""
    found: list[Sink] = [Log(folder / "log.jsonl", step)]
    for name in names:
        found.append(TensorBoard(folder, step) if name == "tensorboard" else Wandb(folder, run, settings))
    return found


class Log:
    """JSON lines: the step and its numbers."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        if path.exists():
            kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
            with writing(path) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"step": step, **{name: float(f"{value:.6g}") for name, value in values.items()}})
                + "\n"
            )

    def image(self, step: int, name: str, path: Path) -> None:
        """Nothing to do: the image is in the run's folder."""

    def close(self) -> None:
        """Nothing to do: the file is closed after each line."""


def _step(line: str) -> float:
    """Return the step of a line; infinity for a line that a full disk or a power cut damaged."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def reached(path: Path) -> dict[str, float]:
    """Return the last losses of a log, of training and of validation (`eval_...`); empty without a log."""
    found: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        found.update(
            {name: value for name, value in json.loads(line).items() if "_loss" in name or name == "loss"}
        )
    return found


class TensorBoard:
    """Events in `tensorboard/`."""

    def __init__(self, folder: Path, step: int) -> None:
        with quiet():
            from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            kind = "validation" if name.startswith("eval_") else "train"
            self._writer.add_scalar(f"{kind}/{name.removeprefix('eval_')}", value, step)

    def image(self, step: int, name: str, path: Path) -> None:
        import numpy as np
        from PIL import Image

        with Image.open(path) as sheet:
            self._writer.add_image(
                f"samples/{name}", np.asarray(sheet.convert("RGB")), step, dataformats="HWC"
            )

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """A run of Weights & Biases; a training run that continues uses the same one. Login, project and offline
    mode are wandb's own."""

    def __init__(self, folder: Path, run: str, settings: Mapping[str, object]) -> None:
        with quiet():
            import wandb

        known = folder / "wandb-id"
        if not known.exists():
            with writing(known) as temporary:
                temporary.write_text(secrets.token_hex(4), encoding="utf-8")
        try:
            self._run = wandb.init(
                name=run,
                id=known.read_text(encoding="utf-8"),
                resume="allow",
                dir=str(folder),
                config=dict(settings),
                settings={"console": "off"},
            )
        except wandb.errors.Error as error:
            raise TrainError(
                f"train.report_to wandb: {str(error).splitlines()[0][:200]}; run `wandb login` or `wandb "
                "offline`"
            ) from error
        self._image = wandb.Image

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def image(self, step: int, name: str, path: Path) -> None:
        self._run.log({f"samples/{name}": self._image(str(path))}, step=step)

    def close(self) -> None:
        self._run.finish()


class Reporting(TrainerCallback):
    """Sends the Trainer's logs to the user and to the sinks, in the first process."""

    def __init__(self, log: Callable[[str], None], to: Sequence[Sink], saved: Callable[[], None]) -> None:
        """saved: called in the first process when a checkpoint is complete."""
        self._log, self._to, self._saved = log, to, saved

    def on_save(self, _: TrainingArguments, state: TrainerState, __: TrainerControl, **___: object) -> None:
        if state.is_world_process_zero:
            self._saved()

    def on_step_end(
        self, _: TrainingArguments, state: TrainerState, control: TrainerControl, **__: object
    ) -> None:
        """Log at every checkpoint and at the end, so that the means since the last line do not depend on
        whether the run was interrupted at the checkpoint."""
        control.should_log = control.should_log or control.should_save or state.global_step == state.max_steps

    def on_log(
        self,
        _: TrainingArguments,
        state: TrainerState,
        __: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **___: object,
    ) -> None:
        """A step's losses and learning rate, or a validation's losses."""
        if not logs or not state.is_world_process_zero or not ("loss" in logs or "eval_loss" in logs):
            return  # the Trainer's own summary at the end
        for sink in self._to:
            sink.scalars(state.global_step, {name: float(value) for name, value in logs.items()})
        where = f"step {state.global_step:,} of {state.max_steps:,}"
        if "eval_loss" in logs:
            self._log(f"{where}, validation: {_numbers(logs, VALIDATION)}")
        else:
            self._log(f"{where}: {_numbers(logs, TRAINING)}; {_pace(logs)}")


def _numbers(logs: Mapping[str, float], names: Sequence[str]) -> str:
    return ", ".join(
        f"{name.removeprefix('eval_').replace('_', ' ')} {float(logs[name]):.4g}"
        for name in names
        if name in logs
    )


def _pace(logs: Mapping[str, float]) -> str:
    return (
        f"{logs['tokens_per_second']:,.0f} tokens/s, {logs['images_per_second']:,.1f} images/s, "
        f"{logs['waiting']:.0%} waiting for data"
    )
