"""clip without torchvision: weights, tokens and prepared images are those of clip.load, byte by byte."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.filter.embedders import clip as backend
from leafinstruct.filter.embedders.clip import ClipTower, load_clip, preprocess, published_urls
from leafinstruct.filter.embedders.weights import Weights
from leafinstruct.sketchbook import tiny_clip

SIZES = [
    (64, 64),
    (65, 64),
    (64, 66),
    (51, 97),
    (333, 47),
    (20, 31),
    (640, 480),
    (480, 641),
    (1, 9),
    (999, 3),
]


def noise(size: tuple[int, int], mode: str = "RGB") -> Pil.Image:
    random = np.random.default_rng(sum(size))
    return Pil.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_clip.unpack(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def by_clip(checkpoint):
    """Model and transform as clip.load returns them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_clip().load(str(checkpoint), device="cpu", jit=False)


@pytest.fixture(scope="module")
def tower(checkpoint) -> ClipTower:
    return ClipTower(Weights("tiny", str(checkpoint), None), "cpu")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_image_is_prepared_as_clip_prepares_it(by_clip, tower, size, mode):
    image, (_, theirs) = noise(size, mode), by_clip
    assert torch.equal(tower.prepared(image), theirs(image))
    assert tower.prepared(image).is_contiguous()


def test_other_resolutions_are_prepared_as_clip_prepares_them():
    theirs = load_clip().clip._transform
    for side in (224, 288, 336):
        for size in ((1024, 341), (225, 224), (500, 1023)):
            assert torch.equal(preprocess(noise(size), side), theirs(side)(noise(size)))


def test_weights_and_tokens_are_those_of_clip(by_clip, tower):
    model, _ = by_clip
    ours, theirs = tower._model.state_dict(), model.state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype == torch.float32, name
        assert torch.equal(ours[name], value), name
    for text in ("red bowl of soup", "naïve &amp; Æsop's  Tables", "日本語 🙂", "<|endoftext|>"):
        expected = load_clip().clip._tokenizer.encode(text.replace("<|", "< |"))
        assert [token for piece in tower.pieces(text) for token in piece[1:-1]] == expected


def test_a_torchscript_archive_gives_the_same_weights(tmp_path, tower):
    """OpenAI's own files are archives of this kind."""

    class Archive(torch.nn.Module):
        def forward(self, pixels):
            return pixels

    archive = Archive()
    for name, value in tower._model.state_dict().items():
        owner = archive
        *path, last = name.split(".")
        for part in path:
            if part not in dict(owner.named_children()):
                owner.add_module(part, Archive())
            owner = getattr(owner, part)
        owner.register_parameter(last, torch.nn.Parameter(value.clone(), requires_grad=False))
    for name in ("input_resolution", "context_length", "vocab_size"):
        archive.register_buffer(name, torch.tensor(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch deprecates TorchScript
        torch.jit.script(archive).save(str(tmp_path / "archive.pt"))
    opened = ClipTower(Weights("archive", str(tmp_path / "archive.pt"), None), "cpu")
    image = noise((64, 64))
    for one, other in zip(opened._model.parameters(), tower._model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert np.array_equal(
        opened.of_images([opened.prepared(image)]), tower.of_images([tower.prepared(image)])
    )


def test_a_process_embeds_without_torchvision(checkpoint):
    code = f"""
import sys
from PIL import Image
from leafinstruct.filter.embedders.embedder import Embedder, tower_of
from leafinstruct.filter.embedders.weights import Weights
model = Embedder(tower_of(Weights("tiny", {str(checkpoint)!r}, None), "cpu"), 4)
assert not model.images([Image.new("RGB", (70, 50), "red")]).faults
assert not model.texts(["a red bowl"]).faults
found = {{name.partition(".")[0] for name in sys.modules}}
assert "torch" in found
print(sorted(found & {{"torchvision", "clip", "transformers", "pkg_resources"}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_published_names_are_those_of_clip():
    assert list(published_urls()) == load_clip().available_models()
    assert all(len(url.split("/")[-2]) == 64 for url in published_urls().values())


def test_a_name_that_is_not_published_lists_those_that_are():
    with pytest.raises(RecipeError, match=r"'ViT-B/33' is neither a file nor one of RN50, .*, ViT-B/32"):
        ClipTower(Weights("ViT-B/33", None, None), "cpu")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # clip leaves it to the collector
@pytest.mark.parametrize("damaged", [False, True])
def test_a_cached_download_is_verified_before_it_is_used(tmp_path, monkeypatch, checkpoint, damaged):
    content = checkpoint.read_bytes()
    cache = tmp_path / ".cache" / "clip"
    cache.mkdir(parents=True)
    (cache / "ViT-B-32.pt").write_bytes(content[:-1] if damaged else content)
    source = tmp_path / hashlib.sha256(content).hexdigest() / "ViT-B-32.pt"
    source.parent.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(backend, "published_urls", lambda: {"ViT-B/32": source.as_uri()})
    weights = Weights("ViT-B/32", None, None)
    if damaged:  # clip downloads it again, here from where nothing is
        with (
            pytest.warns(UserWarning, match="checksum does not match"),
            pytest.raises(RecipeError, match=r"ViT-B/32 cannot be opened .* needs the network once"),
        ):
            ClipTower(weights, "cpu")
    else:
        assert ClipTower(weights, "cpu")._model.visual.input_resolution == 64
