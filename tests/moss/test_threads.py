"""One adapted model, several callers: threads, tasks, replicas, models within models, copies. Each pass has a
layout and a cache of its own."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import peft
import pytest
import torch
from moss.exact import exact
from moss.tiny import arguments, chameleon, emu2, emu3, image, page, words
from torch import Tensor

from leafinstruct import moss

pytestmark = pytest.mark.e2e

MAKERS = {"chameleon": chameleon, "emu3": emu3, "emu2": emu2}
backbones = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
THREADS, PASSES = 8, 15


@pytest.fixture(autouse=True)
def _one_thread_of_torch_a_pass():
    """Sums are then added in one order, so that results are equal to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def adapted(make: Callable[[], Any]) -> Any:
    base = make()
    for module in base.modules():  # Emu3's blocks have dropout
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0
    torch.manual_seed(1)
    return peft.get_peft_model(base, moss.MossConfig(r_text=3, r_image=4, init="random")).train()


def inputs(model: Any, count: int) -> list[dict[str, Tensor]]:
    """Text alone, images of several grids, both; of different lengths and of the same."""
    lines = model.get_base_model().config.model_type == "emu3"
    found = []
    for number in range(count):
        chance = torch.Generator().manual_seed(number)
        shape = (number % 3 + 1, number % 4 + 2) if lines else (4, 4)
        kinds = (
            lambda: words(chance, 20),  # noqa: B023
            lambda: torch.cat(
                [words(chance, 1 + number % 5), image(chance, *shape, lines=lines), words(chance, 2)]  # noqa: B023
            ),
            lambda: page(number, lines)[0],  # noqa: B023
        )
        found.append(arguments(model.get_base_model(), kinds[number % 3]()[None]))
    return found


def gradients(model: Any, given: dict[str, Tensor]) -> list[Tensor]:
    """The output, and the gradient of each weight of the adapter."""
    logits = model(**given, use_cache=False).logits
    weights = [value for value in model.parameters() if value.requires_grad]
    return [logits.detach(), *torch.autograd.grad(logits.square().mean(), weights)]


def same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def together(models: Sequence[Any], work: Callable[[int], Any], meet: bool = True) -> list[Any]:
    """The results of work(0), work(1) ... in as many threads as models. meet: each pass waits within its
    first block until all others are there, so that they overlap for certain."""
    barrier = threading.Barrier(len(models), timeout=120)

    def run(number: int) -> Any:
        # of this thread: else each has a pool that waits by spinning, and four of them starve two cores
        torch.set_num_threads(1)
        try:
            return work(number)
        except BaseException:
            barrier.abort()  # else the others would wait for it
            raise

    blocks = {
        next(module for name, module in model.named_modules() if name.endswith("layers.0.mlp"))
        for model in models
    }
    with ExitStack() as hooks, ThreadPoolExecutor(len(models)) as pool:
        for block in blocks if meet else ():
            hooks.enter_context(block.register_forward_pre_hook(lambda *_: (barrier.wait(), None)[1]))
        return [future.result() for future in [pool.submit(run, number) for number in range(len(models))]]


@backbones
@pytest.mark.parametrize("checkpointing", [False, True])
def test_threads_have_the_outputs_and_gradients_of_one_after_the_other(make, checkpointing):
    model = adapted(make)
    if checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    given = inputs(model, THREADS * PASSES)
    wanted = [gradients(model, one) for one in given]
    assert len({one[0].shape for one in wanted}) > 5
    found = together(
        [model] * THREADS,
        lambda at: [gradients(model, one) for one in given[at::THREADS]],
        meet=not checkpointing,
    )
    wrong = [at for at, one in enumerate(wanted) if not same(found[at % THREADS][at // THREADS], one)]
    assert not wrong


@backbones
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_recomputation_has_the_layout_of_its_own_forward(make, reentrant):
    """Two forwards, then two backwards in either order, each in a thread of its own."""
    wanted = []
    for checkpointing in (False, True):
        for turn in (1, -1):
            model = adapted(make)
            if checkpointing:
                model.activation_checkpointing_enable(
                    activation_checkpointing_kwargs={"use_reentrant": reentrant}
                )
                model.enable_input_require_grads()
            losses = [model(**one, use_cache=False).logits.square().mean() for one in inputs(model, 3)[1:]]
            found = []
            for loss in losses[::turn]:
                model.zero_grad()
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(loss.backward).result()
                found.append([value.grad.clone() for value in model.parameters() if value.requires_grad])
            wanted.append(found[::turn])
    for one in wanted[1:]:
        for a, b in zip(one, wanted[0], strict=True):
            assert same(a, b)


def replica(module: Any) -> Any:
    """As torch.nn.parallel.replicate makes one, on the same device: a shallow copy of each module, with the
    same hooks and weights."""
    copy = module._replicate_for_data_parallel()
    copy._parameters = dict(module._parameters)
    copy._modules = {name: replica(child) for name, child in module._modules.items()}
    return copy


def test_replicas_in_threads_as_data_parallel_makes_them():
    model = adapted(chameleon)
    given = inputs(model, 40)
    wanted = [model(**one, use_cache=False).logits for one in given]
    replicas = [replica(model) for _ in range(4)]
    found = together(
        replicas, lambda at: [replicas[at](**one, use_cache=False).logits for one in given[at::4]]
    )
    assert [at for at, one in enumerate(wanted) if not torch.equal(found[at % 4][at // 4], one)] == []


@backbones
def test_threads_generate_what_one_generates(make):
    """Each with a cache of its own; the prompt ends within an image, so that the convolution is
    remembered."""
    model = adapted(make).eval()
    lines = make is emu3
    prompts = []
    for seed in range(4):
        chance = torch.Generator().manual_seed(seed)
        cut = image(chance, 3, 3 + seed, lines=True)[: 7 + seed] if lines else image(chance)[: 6 + seed]
        prompts.append(torch.cat([words(chance, 2 + seed), cut])[None])

    def answer(at: int) -> Tensor:
        said, cache = [], None
        for ids in (prompts[at], *image(torch.Generator().manual_seed(50 + at))[1:9, None, None]):
            out = model(**arguments(model.get_base_model(), ids), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            said.append(out.logits[:, -1])
        return torch.cat(said)

    with torch.no_grad():
        wanted = [answer(at) for at in range(4)]

    def quiet(at: int) -> Tensor:
        with torch.no_grad():  # of the thread
            return answer(at)

    assert same(together([model] * 4, quiet), wanted)


def test_tasks_of_an_event_loop():
    model = adapted(chameleon)
    given = inputs(model, 12)
    wanted = [gradients(model, one) for one in given]

    async def all_at_once() -> list[list[Tensor]]:
        return await asyncio.gather(*(asyncio.to_thread(gradients, model, one) for one in given))

    assert all(same(*pair) for pair in zip(asyncio.run(all_at_once()), wanted, strict=True))


class Within:
    """A forward pre-hook that calls something in the middle of another model's pass."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call, self._inside = call, False

    def __call__(self, *_: Any) -> None:
        if not self._inside:
            self._inside = True
            self._call()
            self._inside = False


def test_a_model_within_a_models_pass():
    """Another one, itself, and one that fails: the outer pass goes on with its own layout."""
    outer, inner = adapted(chameleon), adapted(emu3)
    one, two = inputs(outer, 3)[1:], inputs(inner, 3)[2]
    wanted, other = gradients(outer, one[0]), gradients(inner, two)
    found = []

    def fail() -> None:
        with pytest.raises(ValueError, match="does not fill its grid"):
            outer(input_ids=torch.cat([page(0)[:, :8], page(0)[:, 9:]], dim=1))

    def stop() -> None:
        with (
            inner.base_model.model.model.text_model.layers[1].register_forward_pre_hook(_stop),
            pytest.raises(KeyboardInterrupt),
        ):
            inner(**two)

    block = outer.base_model.model.model.layers[1]
    for call in (
        lambda: found.append(gradients(inner, two)),
        lambda: found.append(gradients(outer, one[1])),
        fail,
        stop,
    ):
        with block.register_forward_pre_hook(Within(call)):
            assert same(gradients(outer, one[0]), wanted)
    assert same(found[0], other)
    assert same(found[1], gradients(outer, one[1]))


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_an_exception_leaves_no_layout():
    model = adapted(chameleon)
    given, block = inputs(model, 2)[1], model.base_model.model.model.layers[1]
    wanted = gradients(model, given)

    def fail(*_: Any) -> None:
        raise OSError("in the middle")

    for _ in range(2):
        with block.register_forward_pre_hook(fail), pytest.raises(OSError, match="in the middle"):
            model(**given)
        with pytest.raises(RuntimeError, match="the layer runs outside a forward pass of the adapted model"):
            model.base_model.model.model(**given)
    assert same(gradients(model, given), wanted)


@pytest.mark.parametrize(
    "copy", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"]
)
@backbones
def test_copies_are_models_of_their_own(make, copy):
    """Also of a model that has run with gradient checkpointing; a copy and its original run at the same
    time."""
    model = adapted(make)
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    model.get_base_model().disable_input_require_grads()  # transformers' hook cannot be pickled
    given = inputs(model, 6)
    wanted = [gradients(model, one) for one in given]
    other = copy(model)
    assert other.base_model.moss_running is not model.base_model.moss_running
    assert same(gradients(other, given[2]), wanted[2])
    with other.base_model.model.register_forward_pre_hook(Within(lambda: gradients(model, given[1]))):
        assert same(gradients(other, given[2]), wanted[2])
    with torch.no_grad():
        for value in other.parameters():
            value.requires_grad_(False).zero_()
    assert all(same(gradients(model, one), value) for one, value in zip(given, wanted, strict=True))


def test_two_adapters_in_turn_in_two_threads():
    model = adapted(chameleon)
    model.add_adapter(
        "second", moss.MossConfig(r_text=2, r_image=2, init="random", neighbors="raster", conv_mode="rank")
    )
    model.set_adapter("second")
    given = inputs(model, 16)
    wanted = [gradients(model, one) for one in given]
    found = together([model] * 2, lambda at: [gradients(model, one) for one in given[at::2]])
    assert all(same(found[at % 2][at // 2], one) for at, one in enumerate(wanted))


def test_a_copied_cache_moves_its_own_rows():
    """One prompt, answered from two copies of its cache: re-ordering one leaves the other, and the original,
    as they are."""
    model = adapted(lambda: exact(chameleon())).eval()
    prompt = torch.cat(
        [words(torch.Generator().manual_seed(0), 3), image(torch.Generator().manual_seed(1))[:8]]
    )[None].repeat(2, 1)
    prompt[1, 5:] = image(torch.Generator().manual_seed(2))[2:8]
    fresh, turned = torch.tensor([[9], [21]]), torch.tensor([1, 0])
    with torch.no_grad():
        cache = model(input_ids=prompt, use_cache=True).past_key_values
        straight = model(input_ids=fresh, past_key_values=deepcopy(cache), use_cache=True).logits
        wanted = model(input_ids=torch.cat([prompt[turned], fresh], dim=1), use_cache=False).logits[:, -1:]
        for copy in (deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
            other = copy(cache)
            other.reorder_cache(turned)
            torch.testing.assert_close(
                model(input_ids=fresh, past_key_values=other, use_cache=True).logits, wanted
            )
            other = copy(cache)
            other.batch_select_indices(torch.tensor([1]))
            torch.testing.assert_close(
                model(input_ids=fresh[:1], past_key_values=other, use_cache=True).logits, wanted[:1]
            )
        assert torch.equal(
            model(input_ids=fresh, past_key_values=deepcopy(cache), use_cache=True).logits, straight
        )
