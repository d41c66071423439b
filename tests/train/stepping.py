"""The gradients of optimizer steps by the Trainer of `leaf train`: in this process, or run as a script by two
gloo processes."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import leafinstruct.moss  # noqa: F401 - mends torchvision before transformers is imported

sys.path.insert(0, str(Path(__file__).parent.parent))
from train.test_packing import DOCUMENTS, adapted, collator, encoded
from transformers import TrainerCallback, TrainingArguments

from leafinstruct.train.data.packing import Packed
from leafinstruct.train.data.tokens import TokenRow
from leafinstruct.train.trainer import InterleavedTrainer

WEIGHTS = {"text": 1.0, "image": 2.5, "z": 0.03}
Step = tuple[dict[str, torch.Tensor], dict[str, float]]


def backbone_of(name: str) -> Any:
    """Without dropout, which differs between passes."""
    backbone = adapted(name)
    for module in backbone.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return backbone


def rows_of(name: str, backbone: Any, folder: Path, packed: bool = False) -> list[TokenRow]:
    """Eight rows of unlike lengths: text alone, images alone, both, and one without any label."""
    rows = encoded(backbone, folder, DOCUMENTS)
    if packed:
        found = Packed(rows, 8, 3, 110 if name != "emu3" else 90)
        return [found[number] for number in range(8)]
    base = [rows[number] for number in range(5)]
    codes = set(backbone.image_layout(None).codes.tolist())
    images = replace(base[4], loss_mask=base[4].loss_mask & [int(number) in codes for number in base[4].ids])
    return [
        base[2],
        base[1],
        images,
        base[2],
        base[0],
        replace(base[3], loss_mask=base[3].loss_mask & False),
        base[3],
        base[2],
    ]


def steps(
    name: str, backbone: Any, rows: list[TokenRow], folder: Path, batch: int, accumulate: int, **settings: Any
) -> list[Step]:
    """Of one epoch with a learning rate of 0: gradients as the optimizer would get them without clipping, and
    what was logged."""
    found: list[Step] = []

    class Keep(TrainerCallback):
        def on_pre_optimizer_step(self, *_: Any, model: Any, **__: Any) -> None:
            gradients = {
                key.removeprefix("module."): value.grad
                for key, value in model.named_parameters()
                if value.requires_grad
            }
            found.append(({key: value.detach().double().clone() for key, value in gradients.items()}, {}))

        def on_log(self, _: Any, state: Any, __: Any, logs: Any = None, **___: Any) -> None:
            if "loss" in logs:
                found[state.global_step - 1][1].update(logs)

    arguments = TrainingArguments(
        str(folder), num_train_epochs=1, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulate, learning_rate=0.0,  # noqa: E501
        max_grad_norm=0, logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False, use_cpu=True,  # noqa: E501
        train_sampling_strategy="sequential", dataloader_pin_memory=False, ddp_find_unused_parameters=False, **settings,  # noqa: E501
    )  # fmt: skip
    trainer = InterleavedTrainer(
        backbone.model,
        arguments,
        train_dataset=rows,
        data_collator=collator(name),
        callbacks=[Keep()],
        backbone=backbone,
        weights=WEIGHTS,
    )
    backbone.model.zero_grad()
    trainer.train()
    return found


CUTS = [(2, 1), (1, 2), (1, 1)]


def work(rank: int, name: str, folder: str, port: int) -> None:
    """Steps of the same rows as of one process with twice the batch."""
    torch.set_num_threads(1)
    where = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({key: str(value) for key, value in where.items()})
    backbone = backbone_of(name)
    rows = rows_of(name, backbone, Path(folder) / str(rank))
    found = [steps(name, backbone, rows, Path(folder), *cut) for cut in CUTS]
    if rank == 0:
        torch.save(found, Path(folder) / "two.pt")
    torch.distributed.destroy_process_group()
    # without destructors: that of the group can wait for a thread of gloo that waits for the interpreter
    os._exit(0)


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        chosen = free.getsockname()[1]
    # forked: what this process imported is not imported twice more
    torch.multiprocessing.start_processes(
        work, (sys.argv[1], sys.argv[2], chosen), nprocs=2, start_method="fork"
    )
