"""One optimizer step by two gloo processes (ddp or fsdp2), and the same by one: run by test_training, which
compares the files."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from moss.exact import exact
from moss.tiny import emu3, image, words
from peft import get_peft_model

from leafinstruct import moss


def model_() -> Any:
    base = exact(emu3())
    torch.manual_seed(1)
    return get_peft_model(base, moss.MossConfig(r_text=3, r_image=4, init="random"))


def rows() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [words(generator, 12)[None], image(generator, 2, 3, lines=True)[None, 1:-1]]


def loss_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:])


def trained(model: Any) -> dict[str, torch.Tensor]:
    found = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            whole = value.full_tensor() if hasattr(value, "full_tensor") else value
            found[name.removeprefix("module.").replace("_fsdp_wrapped_module.", "")] = whole.detach().clone()
    return found


def optimizer_of(model: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD([value for value in model.parameters() if value.requires_grad], lr=1.0)


def work(rank: int, kind: str, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{Path(folder).absolute()}/{kind}-store"
    torch.distributed.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=2, timeout=timedelta(seconds=600)
    )
    model = model_()
    if kind == "ddp":
        model = torch.nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh("cpu", (2,))
        for layer in model.base_model.model.model.text_model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
    optimizer = optimizer_of(model)
    loss_of(model, rows()[rank]).backward()
    optimizer.step()
    found = trained(model)
    if rank == 0:
        torch.save(found, Path(folder) / "two.pt")
    torch.distributed.destroy_process_group()
    # without destructors: that of the group can wait for a thread of gloo that waits for the interpreter
    os._exit(0)


if __name__ == "__main__":
    # forked, before this process computes: what it imported is not imported twice more
    torch.multiprocessing.start_processes(work, (sys.argv[1], sys.argv[2]), nprocs=2, start_method="fork")
    torch.set_num_threads(1)
    alone = model_()
    one = optimizer_of(alone)
    (sum(loss_of(alone, ids) for ids in rows()) / 2).backward()
    one.step()
    torch.save(trained(alone), Path(sys.argv[2]) / "one.pt")
