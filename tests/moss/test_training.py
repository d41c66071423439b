"""The adapter in others' hands: the HF Trainer, two processes, settings that are wrong, a second package of
its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from moss.exact import close
from moss.tiny import chameleon, emu3, page, words

from leafinstruct import moss

pytestmark = pytest.mark.e2e

SETTINGS: dict[str, Any] = {"r_text": 3, "r_image": 4, "init": "random"}


def test_the_trainer_trains_saves_and_resumes_exactly(tmp_path):
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Stop(TrainerCallback):
        def on_step_end(self, _, state, control, **__):
            control.should_training_stop = state.global_step == 2

    rows = [
        {"input_ids": page(seed, lines=True)[0], "labels": page(seed, lines=True)[0]} for seed in range(8)
    ]

    def train(
        folder: Path, resume: bool = False, stop: bool = False
    ) -> tuple[dict[str, torch.Tensor], list[float]]:
        torch.manual_seed(0)
        model = peft.get_peft_model(emu3(), moss.MossConfig(**SETTINGS))
        arguments = TrainingArguments(
            str(folder), max_steps=4, per_device_train_batch_size=2, save_steps=2, logging_steps=1, report_to=[], learning_rate=1e-2, use_cpu=True,  # noqa: E501
            seed=3, disable_tqdm=True, dataloader_pin_memory=False, lr_scheduler_type="constant",
        )  # fmt: skip
        trainer = Trainer(model, arguments, train_dataset=rows, callbacks=[Stop()] if stop else [])
        trainer.train(resume_from_checkpoint=str(folder / "checkpoint-2") if resume else None)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return {
            name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad
        }, losses

    whole, losses = train(tmp_path / "whole")
    assert losses[-1] < losses[0]
    train(tmp_path / "cut", stop=True)
    resumed, _ = train(tmp_path / "cut", resume=True)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert (tmp_path / "cut" / "checkpoint-4" / "adapter_model.safetensors").exists()


@pytest.mark.matrix(2)
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_two_processes_step_as_one(kind, tmp_path):
    """One rank has text alone, the other images alone; together they make the step of one process with
    both."""
    layout = Path(__file__).parent / "two_processes.py"
    subprocess.run(
        [sys.executable, str(layout), kind, str(tmp_path)], check=True, timeout=900, capture_output=True
    )
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert one.keys() == two.keys()
    assert len(one) > 20
    for name in one:
        close(two[name], one[name])


def test_an_optimizer_step_lowers_the_loss_of_both_modalities():
    base = emu3()
    # a random model's head is too small for adapters below it to move
    base.lm_head.weight.data.normal_(std=0.3)
    model = peft.get_peft_model(base, moss.MossConfig(r_text=8, r_image=8)).train()
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=2e-2)
    ids = page(0, lines=True)
    losses = []
    for _ in range(60):
        logits = model(input_ids=ids).logits[0, :-1]
        each = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        patch = ids[0, 1:] < 68
        losses.append((each[patch].mean().item(), each[~patch].mean().item()))
        each.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1][0] < 0.8 * losses[0][0]
    assert losses[-1][1] < 0.8 * losses[0][1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"method": "mos"}, "method is 'mos'; it must be one of moss, moe_lora, lora"),
        ({"conv_mode": "x"}, "conv_mode is 'x'; it must be one of full_space, rank, depthwise"),
        ({"neighbors": "x"}, "neighbors is 'x'; it must be one of top_left, raster, shuffled, symmetric"),
        (
            {"neighbors": "symmetric"},
            "symmetric neighbors lie around a patch, so kernel_size must be odd, not 2",
        ),
        ({"r_text": 0}, "r_text is 0; it must be a whole number of at least 1"),
        ({"r_image": 1.5}, "r_image is 1.5; it must be a whole number"),
        ({"r_text": True}, "r_text is True; it must be a whole number of at least 1"),
        ({"kernel_size": True}, "kernel_size is True"),
        ({"alpha_text": "4"}, "alpha_text is '4'; it must be a finite number above 0"),
        ({"alpha_text": True}, "alpha_text is True"),
        ({"alpha_image": 0.0}, "alpha_image is 0.0; it must be a finite number above 0"),
        ({"alpha_image": float("nan")}, "alpha_image is nan"),
        ({"alpha_image": float("inf")}, "alpha_image is inf"),
        ({"alpha_image": 10**400}, "alpha_image is 1000.*; it must be a finite number above 0"),
        ({"dropout": "0.1"}, r"dropout is '0.1'; it must be in \[0, 1\)"),
        (
            {"neighbors_seed": 2**70},
            "neighbors_seed is 1180591620717411303424; it must be a whole number from",
        ),
        ({"neighbors_seed": -(2**63) - 1}, "neighbors_seed is -9223372036854775809"),
        ({"neighbors_seed": "x"}, "neighbors_seed is 'x'"),
        ({"neighbors_seed": True}, "neighbors_seed is True"),
        (
            {"target_modules": "("},
            "target_modules is '\\('; it must be a valid regular expression: missing \\)",
        ),
        ({"target_modules": "(" * 100_000}, "it must be a valid regular expression: .*recursion"),
        (
            {"exclude_modules": "a{99999999999999999999}"},
            "exclude_modules is .*; it must be a valid regular expression: the repetition",
        ),
        (
            {"target_modules": [1, 2]},
            r"target_modules is \[1, 2\]; it must be a regular expression or a list of names",
        ),
        (
            {"exclude_modules": {"q_proj": 1}},
            "exclude_modules is .*; it must be a regular expression or a list of names",
        ),
        ({"modules_to_save": [1]}, r"modules_to_save is \[1\]; it must be a list of names"),
        ({"modules_to_save": "lm_head"}, "modules_to_save is 'lm_head'; it must be a list of names"),
        ({"image_tokens": 5, "image_grid": [4, 4]}, "image_tokens is 5; it must be ranges of ids"),
        (
            {"image_tokens": [[4]], "image_grid": [4, 4]},
            r"image_tokens is \[\[4\]\]; it must be ranges of ids",
        ),
        (
            {"image_tokens": [[4, 2**70]], "image_grid": [4, 4]},
            "image_tokens is .*; it must be ranges of ids",
        ),
        ({"image_tokens": [[4, "67"]], "image_grid": [4, 4]}, "image_tokens is .*; it must be ranges of ids"),
        (
            {"image_tokens": [[4, 67]], "image_grid": [8]},
            r"image_grid is \[8\]; it must be \[height, width\], two whole numbers of at least 1",
        ),
        ({"image_tokens": [[4, 67]], "image_grid": [0, 8]}, r"image_grid is \[0, 8\]"),
        ({"image_tokens": [[4, 67]], "image_grid": [2**62, 4]}, r"image_grid is \[4611686018427387904, 4\]"),
        ({"image_tokens": [[4, 67]], "end_of_line": "x"}, "end_of_line is 'x'; it must be an id"),
        ({"dropout": 1.0}, r"dropout is 1.0; it must be in \[0, 1\)"),
        ({"bias": "all"}, "bias must be none"),
        ({"taps": "raster"}, "taps: unknown setting; it is now called 'neighbors'"),
        ({"leafinstruct_format": 9}, "the adapter has format 9; this version reads 1 and 2: upgrade"),
        ({"image_tokens": [[4, 67]]}, "image_tokens need either image_grid or end_of_line"),
    ],
)
def test_settings_that_are_wrong(settings, sentence):
    with pytest.raises(moss.MossConfigError, match=sentence):
        moss.MossConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha_text": 4, "alpha_image": 10**30, "dropout": 0},
        {"neighbors_seed": -(2**63)},
        {"neighbors_seed": 2**64 - 1},
        {"target_modules": "all-linear", "exclude_modules": ["lm_head"], "modules_to_save": ["norm"]},
        {"target_modules": {"q_proj"}, "exclude_modules": ("k_proj", "v_proj")},
        {"image_tokens": ((4, 67), (70, 70)), "image_grid": (4, 4)},
        {"image_tokens": [], "end_of_line": 0},
    ],
)
def test_settings_at_the_edge_of_what_is_right(settings):
    config = moss.MossConfig(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


def test_targets_outside_the_decoder_are_refused():
    with pytest.raises(
        moss.MossConfigError, match=r"matches model\.vqmodel\.\S+_proj, which is outside the decoder of emu3"
    ):
        peft.get_peft_model(emu3(), moss.MossConfig(target_modules=["q_proj", "k_proj"]))
    with pytest.raises(
        moss.MossConfigError, match="matches lm_head, which is outside the decoder of chameleon"
    ):
        peft.get_peft_model(chameleon(), moss.MossConfig(target_modules="lm_head"))


def test_an_image_that_does_not_fill_its_grid():
    model = peft.get_peft_model(chameleon(), moss.MossConfig(**SETTINGS))
    ids = page(0)
    with pytest.raises(ValueError, match="an image of 15 patches does not fill its grid of 4 x 4"):
        model(input_ids=torch.cat([ids[:, :8], ids[:, 9:]], dim=1))


def test_a_cache_that_the_convolution_did_not_see():
    model = peft.get_peft_model(chameleon(), moss.MossConfig(**SETTINGS)).eval()
    ids = page(0)
    with torch.no_grad():
        with model.disable_adapter():
            cache = model(input_ids=ids[:, :6], use_cache=True).past_key_values
        with pytest.raises(ValueError, match="holds 6 tokens, but the convolution has processed 0"):
            model(input_ids=ids[:, 6:], past_key_values=cache)
        cache = model(input_ids=ids[:, :8], use_cache=True).past_key_values
        cache.crop(-2)
        with pytest.raises(ValueError, match="holds 6 tokens, but the convolution has processed 8"):
            model(input_ids=ids[:, 6:], past_key_values=cache)


def test_a_part_of_the_model_called_alone():
    model = peft.get_peft_model(chameleon(), moss.MossConfig(**SETTINGS)).eval()
    with pytest.raises(RuntimeError, match="the layer runs outside a forward pass of the adapted model"):
        model.base_model.model.model(input_ids=words(torch.Generator(), 4)[None])


def test_load_needs_a_folder_that_fits(tmp_path):
    with pytest.raises(moss.MossConfigError, match=r"cannot read adapter_config\.json"):
        moss.load(chameleon(), tmp_path)
    peft.get_peft_model(chameleon(), peft.LoraConfig(target_modules=["q_proj"])).save_pretrained(
        tmp_path / "lora"
    )
    with pytest.raises(moss.MossConfigError, match="the adapter has type LORA"):
        moss.load(chameleon(), tmp_path / "lora")
    only = r"model\.layers\.0\.self_attn\.q_proj"
    peft.get_peft_model(chameleon(), moss.MossConfig(target_modules=only)).save_pretrained(tmp_path / "moss")
    config = (tmp_path / "moss" / "adapter_config.json").read_text()
    (tmp_path / "moss" / "adapter_config.json").write_text(config.replace("layers\\\\.0", "layers\\\\.1"))
    with pytest.raises(
        ValueError,
        match=r"the weights do not fit this model, first model\.layers\.0\.self_attn\.q_proj\.moss_image_A",
    ):
        moss.load(chameleon(), tmp_path / "moss")
    (tmp_path / "moss" / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"cannot read adapter_model\.safetensors"):
        moss.load(chameleon(), tmp_path / "moss")


FOREIGN = """
import warnings
from leafinstruct._torchvision import mend
mend()
import peft
from peft.utils.peft_types import PeftType
member = str.__new__(PeftType, "MOSS")
member._name_ = member._value_ = "MOSS"
PeftType._member_map_["MOSS"] = PeftType._value2member_map_["MOSS"] = member
PeftType._member_names_.append("MOSS")
type.__setattr__(PeftType, "MOSS", member)
peft.utils.register_peft_method(name="moss", config_cls=peft.LoraConfig, model_cls=type("M", (peft.LoraModel,), {"prefix": "moss_"}))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import leafinstruct.moss
print([str(item.message) for item in caught if "MOSS" in str(item.message)])
print(peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING[PeftType.MOSS].__name__)
import sys, torch
sys.path.insert(0, sys.argv[2])
from moss.tiny import chameleon, page
"""  # noqa: E501


def test_another_moss_is_left_alone_and_load_works_without_the_registry(tmp_path):
    model = peft.get_peft_model(chameleon(), moss.MossConfig(**SETTINGS)).eval()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        torch.save(model(input_ids=page(0)).logits, tmp_path / "wanted.pt")
    code = FOREIGN + (
        "import pathlib\n"
        "model = leafinstruct.moss.load(chameleon(), sys.argv[1]).eval()\n"
        "with torch.no_grad():\n"
        "    print(torch.equal(model(input_ids=page(0)).logits, torch.load(pathlib.Path(sys.argv[1]) "
        "/ 'wanted.pt', weights_only=True)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    caught, config, same = done.stdout.splitlines()[-3:]
    assert "another package has registered a PEFT method MOSS; use leafinstruct.moss.load" in caught
    assert (config, same) == ("LoraConfig", "True")


def test_without_the_import_peft_knows_no_moss(tmp_path):
    peft.get_peft_model(chameleon(), moss.MossConfig(**SETTINGS)).save_pretrained(tmp_path)
    code = (
        "from leafinstruct._torchvision import mend; mend(); import peft, sys; "
        "peft.PeftConfig.from_pretrained(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "KeyError: 'MOSS'" in done.stderr
