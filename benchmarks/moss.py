"""MoSS against PEFT's plain LoRA and against a loop over images: forward and backward, CPU seconds, one
thread, one run.

    python benchmarks/moss.py [--quick] [--device cuda]

One adapted linear layer, then a decoder of four Llama blocks with all attention projections adapted. Every
figure is a ratio to plain LoRA of rank r on all tokens, the minimum of several alternating measurements.
Beside it: the bound, which is the ratio of multiplications (the base's forward and input gradient; the
adapter's forward, input gradient and weight gradient), and the quotient of both. `loop` is the same
full-space convolution by torch's conv2d, one image after the other. Finally the merged text half on a prompt
without images against the bare base, and the bytes that autograd keeps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from leafinstruct import moss  # before peft, which it makes importable beside any torchvision
from leafinstruct.moss.layer import MossLayer
from leafinstruct.moss.layout import Layout
from leafinstruct.moss.running import Pass, Running

SIDE = 16
"""Patches along each side of an image."""
MODES: dict[str, dict[str, Any]] = {
    "full_space": {"conv_mode": "full_space"},
    "rank": {"conv_mode": "rank"},
    "depthwise": {"conv_mode": "depthwise"},
    "moe_lora": {"method": "moe_lora"},
}


@dataclass(frozen=True)
class Case:
    """One case. d: width; tokens: of the sequence; images: share of patches; r: rank."""

    d: int
    tokens: int
    images: float
    r: int


class Clock:
    """CPU seconds of a call, or of the device with synchronization; the minimum of several, with the
    contestants alternating."""

    def __init__(self, device: str) -> None:
        self.device = device

    def once(self, call: Callable[[], object]) -> float:
        if self.device == "cpu":
            started = time.process_time()
            call()
            return time.process_time() - started
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        return time.perf_counter() - started

    def ratios(self, calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
        """Ratios to the first call."""
        best = dict.fromkeys(calls, float("inf"))
        for _ in range(rounds + 1):
            for name, call in calls.items():
                best[name] = min(best[name], self.once(call))
        first = next(iter(best.values()))
        return {name: value / first for name, value in best.items()}


def positions_of(case: Case, device: str) -> Tensor:
    """(1, T, 3): images evenly spread over the sequence."""
    found = torch.full((case.tokens, 3), -1)
    images = max(1, round(case.tokens * case.images / SIDE**2))
    step = case.tokens // images
    grid = torch.stack([torch.arange(SIDE**2) // SIDE, torch.arange(SIDE**2) % SIDE], dim=1)
    for number in range(images):
        found[number * step : number * step + SIDE**2, 0] = number
        found[number * step : number * step + SIDE**2, 1:] = grid
    return found[None].to(device)


def bound(case: Case, mode: str, share: float, blocks: bool = False) -> float:
    """Multiplications of a step relative to plain LoRA. share: of patches; blocks: for a whole Llama block
    instead of the linear layer alone."""
    d, r = case.d, case.r
    layers = 4 if blocks else 1
    # MLP of width 4 d and attention, forward and input gradient
    rest = 2 * (3 * d * 4 * d) + 4 * case.tokens * d if blocks else 0
    frozen = 2 * layers * d * d + rest
    text = 6 * d * r
    image = {
        "full_space": 3 * r * (4 * d + d),
        "rank": 3 * r * (2 * d + 4 * r),
        "depthwise": 3 * r * (2 * d + 4),
        "moe_lora": 6 * d * r,
    }[mode]
    return (frozen + layers * ((1 - share) * text + share * image)) / (frozen + layers * text)


def layer_of(case: Case, base: nn.Linear, running: Running, settings: dict[str, Any]) -> MossLayer:
    layer = MossLayer(base, "x", running)
    layer.update_layer("default", moss.MossConfig(r_text=case.r, r_image=case.r, init="random", **settings))
    layer.set_adapter("default")
    return layer


def one_layer(case: Case, clock: Clock, rounds: int) -> None:
    import peft
    from peft.tuners.lora import LoraConfig

    device = clock.device
    torch.manual_seed(0)
    base = nn.Linear(case.d, case.d, bias=False, device=device).requires_grad_(False)
    host = nn.Sequential(nn.Linear(case.d, case.d, bias=False, device=device))
    host[0].weight.data = base.weight.data
    plain = peft.get_peft_model(host, LoraConfig(r=case.r, lora_alpha=2 * case.r, target_modules=["0"]))
    x, gradient = (
        torch.randn(1, case.tokens, case.d, device=device),
        torch.randn(1, case.tokens, case.d, device=device),
    )
    positions = positions_of(case, device)
    running = Running()
    running.begin(Pass(layout := Layout(positions)))
    share = len(layout.image) / case.tokens

    def step(module: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        def run() -> None:
            module(x.detach().requires_grad_()).backward(gradient)

        return run

    layers = {name: layer_of(case, base, running, settings) for name, settings in MODES.items()}
    calls: dict[str, Callable[[], object]] = {"plain LoRA": step(plain)}
    calls |= {name: step(layer) for name, layer in layers.items()}
    calls["loop"] = step(looped(layers["full_space"], layout, positions))
    for name, ratio in clock.ratios(calls, rounds).items():
        if name != "plain LoRA":
            report(case, share, name, ratio, bound(case, "full_space" if name == "loop" else name, share))


def looped(layer: MossLayer, layout: Layout, positions: Tensor) -> Callable[[Tensor], Tensor]:
    """The same with conv2d, image by image."""
    runs = [
        (positions[0, :, 0] == number).nonzero()[:, 0] for number in range(int(positions[..., 0].max()) + 1)
    ]
    spans = [(int(run[0]), int(run[-1]) + 1) for run in runs]

    def forward(x: Tensor) -> Tensor:
        down, up = layer.moss_image_A["default"], layer.moss_image_B["default"]
        rank = up.shape[1]
        kernel = down.view(2, 2, rank, -1).flip(0, 1).permute(2, 3, 0, 1)
        out: Tensor = layer.base_layer(x)
        text = (
            linear(linear(x[0, layout.text], layer.moss_text_A["default"]), layer.moss_text_B["default"]) * 2
        )
        pieces = []
        for start, stop in spans:
            grid = x[0, start:stop].T.reshape(1, -1, SIDE, SIDE)
            grid = nn.functional.pad(grid, (1, 0, 1, 0))
            pieces.append(linear(conv2d(grid, kernel).reshape(rank, -1).T, up) * 2)
        return out[0].index_add(0, layout.text, text).index_add(0, layout.image, torch.cat(pieces))[None]

    return forward


def whole(case: Case, clock: Clock, rounds: int) -> None:
    import peft
    from transformers import LlamaConfig, LlamaForCausalLM

    def llama() -> Any:
        torch.manual_seed(0)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=512, hidden_size=case.d, intermediate_size=4 * case.d, num_hidden_layers=4, num_attention_heads=case.d // 64,  # noqa: E501
                max_position_embeddings=case.tokens, use_cache=False,
            )
        ).to(clock.device)  # fmt: skip

    target = r".*\.(q|k|v|o)_proj"
    positions = positions_of(case, clock.device)
    patch = positions[0, :, 0] >= 0
    ids = torch.where(patch, 7, 300)[None]
    models: dict[str, Any] = {
        "plain LoRA": peft.get_peft_model(
            llama(), peft.LoraConfig(r=case.r, lora_alpha=2 * case.r, target_modules=target)
        )
    }
    common: dict[str, Any] = {
        "target_modules": target,
        "image_tokens": [[0, 255]],
        "image_grid": [SIDE, SIDE],
    }
    for name, settings in MODES.items():
        models[name] = peft.get_peft_model(
            llama(), moss.MossConfig(r_text=case.r, r_image=case.r, init="random", **common, **settings)
        )

    def step(model: Any) -> Callable[[], None]:
        extra = {} if isinstance(model.peft_config["default"], peft.LoraConfig) else {"patch_pos": positions}

        def run() -> None:
            model(input_ids=ids, labels=ids, **extra).loss.backward()

        return run

    share = float(patch.float().mean())
    for name, ratio in clock.ratios({name: step(model) for name, model in models.items()}, rounds).items():
        if name != "plain LoRA":
            report(case, share, name, ratio, bound(case, name, share, blocks=True))
    kept = {name: kept_bytes(step(model)) for name, model in models.items()}
    print(
        "  bytes kept for backward, of plain LoRA's:",
        ", ".join(f"{name} {kept[name] / kept['plain LoRA']:.3f}" for name in MODES),
    )
    merged = models["full_space"].eval()
    merged.merge_adapter(modality="text")
    bare, text = llama().eval(), torch.full((1, min(case.tokens, 1024)), 300, device=clock.device)
    with torch.no_grad():
        ratio = clock.ratios(
            {"base": lambda: bare(input_ids=text), "merged": lambda: merged(input_ids=text)}, rounds
        )["merged"]
    print(f"  merged text half, a prompt without images: {ratio:.3f} of the base")


def kept_bytes(run: Callable[[], None]) -> int:
    """Bytes of distinct tensors that autograd saves in a step."""
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(storages.values())


def report(case: Case, share: float, name: str, ratio: float, arithmetic: float) -> None:
    where = f"d {case.d:>4}, {case.tokens} tokens, {share:.0%} patches, r {case.r:>3}"
    print(
        (
            f"  {where}  {name:<10} {ratio:6.3f} of plain LoRA; bound {arithmetic:.3f}; "
            f"{ratio / arithmetic:.3f} of it"
        ),
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two cases of each instead of all")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clock, rounds = Clock(arguments.device), 6 if arguments.quick else 16
    cases = [
        Case(d, tokens, images, r)
        for d, tokens in ((512, 4096), (1024, 2048))
        for images in (0.25, 0.5, 0.75)
        for r in (8, 32, 64, 256)
    ]
    print("one linear layer, forward and backward")
    for case in [cases[5], cases[18]] if arguments.quick else cases:
        one_layer(case, clock, rounds)
    print("a decoder of four blocks, forward and backward")
    decoders = [Case(512, 2048, 0.5, 32), Case(512, 2048, 0.75, 256), Case(1024, 2048, 0.5, 32)]
    for case in decoders[:1] if arguments.quick else decoders:
        whole(case, clock, max(3, rounds // 2))


if __name__ == "__main__":
    main()
