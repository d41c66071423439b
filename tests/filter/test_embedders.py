"""Backends on tiny random models, what enters the key, devices, and what one failing record does."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pil

from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import AlignmentConfig
from leafinstruct.filter.embedders.batches import NOT_FINITE
from leafinstruct.filter.embedders.clip import load_clip
from leafinstruct.filter.embedders.devices import devices_of, kind_of
from leafinstruct.filter.embedders.embedder import Embedder, tower_of
from leafinstruct.filter.embedders.weights import Weights, known_languages, weights_of

TEXTS = ["red bowl of soup", "a table", "stir it well", "bake until brown " * 20, "soup </s> <s>"]
SENTENCE = "red green bowl of soup stands on a wooden table stir it well and bake until brown"
WORDS = [*SENTENCE.split(" "), *",</s>"]
needs_open_clip = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None, reason="the extra open_clip is not installed"
)


def images() -> list[Pil.Image]:
    random = np.random.default_rng(5)
    return [Pil.fromarray(random.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for _ in range(5)]


def tokenizer(end_only: bool):
    """A tokenizer of whole words, with the special tokens of CLIP or of SigLIP."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>" if end_only else "<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def saved(folder: Path, kind: str) -> Path:
    """A folder as save_pretrained writes it, with random weights."""
    load_clip()
    import transformers as library

    library.utils.logging.disable_progress_bar()
    words = tokenizer(kind != "clip")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        **sizes,
        **{"vocab_size": len(words), "max_position_embeddings": 16},
        **{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
    }
    vision = {**sizes, "patch_size": 8, **({"num_patches": 16} if kind == "siglip2" else {"image_size": 32})}
    torch.manual_seed(0)
    square = {"height": 32, "width": 32}
    if kind == "clip":
        config = library.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        model, processor = (
            library.CLIPModel(config),
            library.CLIPImageProcessor(size=square, crop_size=square),
        )
    elif kind == "siglip":
        config = library.SiglipConfig(text_config={**text, "projection_size": 32}, vision_config=vision)
        model, processor = library.SiglipModel(config), library.SiglipImageProcessor(size=square)
    else:
        config = library.Siglip2Config(text_config={**text, "projection_size": 32}, vision_config=vision)
        model = library.Siglip2Model(config)
        processor = library.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    for part in (model, words, processor):
        part.save_pretrained(folder)
    return folder


def open_clip_folder(folder: Path, pool: str) -> Path:
    """A folder as open_clip.push_to_hf_hub writes it, with random weights. pool: `argmax`, as OpenAI's, or
    `last`, as SigLIP's."""
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir()
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            **{"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
            **({} if pool == "argmax" else {"pool_type": pool, "no_causal_mask": True}),
        },
        **({} if pool == "argmax" else {"custom_text": True}),
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    kind = open_clip.CLIP if pool == "argmax" else open_clip.CustomTextCLIP
    sizes = {name: value for name, value in config.items() if name != "custom_text"}
    model = kind(**sizes)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def weights(folder: Path, backend: str, **settings) -> Weights:
    section = AlignmentConfig(backend=backend, model=str(folder), device="cpu", **settings)
    return weights_of(section, str(folder), None, True)


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_a_dual_encoder_of_transformers_gives_the_vectors_of_the_library(tmp_path, kind):
    tower = tower_of(weights(saved(tmp_path / kind, kind), "transformers"), "cpu")
    found = Embedder(tower, 2).texts(TEXTS)
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(tmp_path / kind).eval()
    words = AutoTokenizer.from_pretrained(tmp_path / kind)
    padding = "longest" if kind == "clip" else "max_length"
    inputs = words(TEXTS[:3], return_tensors="pt", padding=padding, max_length=16)
    if kind != "clip":
        del inputs["attention_mask"]
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        rows = model.get_text_features(**inputs).pooler_output.numpy()
    assert np.abs(found.rows[:3] - rows / np.linalg.norm(rows, axis=1, keepdims=True)).max() < 1e-5
    if kind != "siglip2":  # whose own tokenizer class knows none of these words
        # 60 words are several pieces; text that looks like a control token is none
        assert [len(tower.pieces(text)) > 1 for text in TEXTS] == [False, False, False, True, False]
    assert all(2 not in piece[:-1] for piece in tower.pieces(TEXTS[4]))


@needs_open_clip
@pytest.mark.parametrize("pool", ["argmax", "last"])
def test_a_model_of_open_clip_gives_the_vectors_of_the_library(tmp_path, pool):
    import open_clip

    folder = open_clip_folder(tmp_path / "m", pool)
    tower = tower_of(weights(folder, "open_clip"), "cpu")
    found = Embedder(tower, 2)
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS[:3], context_length=16)
        rows = model.eval().encode_text(tokens, normalize=True).numpy()
        pixels = torch.stack([preprocess(image) for image in images()])
        shown = model.encode_image(pixels, normalize=True).numpy()
    assert np.abs(found.texts(TEXTS).rows[:3] - rows).max() < 1e-5
    assert np.abs(found.images(images()).rows - shown).max() < 1e-5
    lowered = Embedder(tower_of(weights(folder, "open_clip", dtype="bfloat16"), "cpu"), 2)
    assert 0 < np.abs(lowered.texts(TEXTS).rows[:3] - rows).max() < 0.1


@pytest.mark.parametrize("kind", ["clip", "siglip2"])
def test_batches_of_any_size_give_the_same_vectors(tmp_path, kind):
    tower = tower_of(weights(saved(tmp_path / kind, kind), "transformers"), "cpu")
    once = Embedder(tower, 32)
    for size in (1, 3):
        again = Embedder(tower, size, threads=2)  # decoded ahead, as for a GPU
        assert np.abs(again.texts(TEXTS).rows - once.texts(TEXTS).rows).max() < 1e-5
        assert np.abs(again.images(images()).rows - once.images(images()).rows).max() < 1e-5


def test_backend_weights_number_format_and_kind_of_device_are_the_identity(tmp_path):
    folder = saved(tmp_path / "m", "clip")
    one = weights(folder, "transformers")
    assert one.identity == f"transformers {one.sha256} float32 cpu"
    assert one.label == f"transformers:m@{one.sha256[:12]}"
    lowered = weights(folder, "transformers", dtype="bfloat16")
    assert lowered.identity == f"transformers {one.sha256} bfloat16 cpu"
    assert lowered.label == f"{one.label} (bfloat16)"
    section = AlignmentConfig(model="ViT-B/32", device="cuda:3")
    assert weights_of(section, "ViT-B/32", None, True).identity == "clip ViT-B/32 float32 cuda"
    assert weights_of(section, "ViT-B/32", None, True).label == "ViT-B/32"
    # another weight, another hash; a copy, the same
    copy = saved(tmp_path / "copy", "clip")
    assert weights(copy, "transformers").sha256 == one.sha256
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert weights(copy, "transformers").sha256 != one.sha256


@pytest.mark.parametrize(
    ("section", "error"),
    [
        (
            {"backend": "transformers", "model": "google/siglip2-base"},
            "neither a folder nor a repository at a commit",
        ),
        ({"backend": "transformers", "model": "/no/such"}, "/no/such: no such folder; transformers needs"),
        ({"backend": "open_clip", "model": "org/name@main"}, "neither a folder nor a repository at a commit"),
        ({"backend": "clip", "model": "lost.pt"}, "lost.pt: no such file"),
    ],
)
def test_weights_that_are_not_there_are_one_line_with_a_hint(section, error):
    with pytest.raises(RecipeError, match=error) as caught:
        weights_of(AlignmentConfig(**section), section["model"], None, True)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_architecture_is_one_line_with_a_hint(tmp_path):
    load_clip()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=40
    )
    folder = saved(tmp_path / "m", "clip")
    transformers.BertModel(config).save_pretrained(folder)
    with pytest.raises(RecipeError, match="is a BertModel, no dual encoder of images and texts"):
        tower_of(weights(folder, "transformers"), "cpu")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(RecipeError, match="cannot be opened by transformers") as caught:
        tower_of(weights(folder, "transformers"), "cpu")
    assert "\n" not in str(caught.value)


@needs_open_clip
def test_a_tag_that_open_clip_does_not_know_names_the_nearest():
    with pytest.raises(RecipeError, match="ViT-B-32/openai"):
        tower_of(Weights("ViT-B-32/openay", None, None, backend="open_clip"), "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_without_a_gpu_is_one_line_with_a_hint(device):
    with pytest.raises(RecipeError, match=rf"device: {device}: torch finds no cuda device.*set device: cpu"):
        devices_of(device)


def test_the_kind_of_a_device_has_no_index():
    assert [kind_of(device) for device in ("cpu", "cuda", "cuda:7", "mps")] == ["cpu", "cuda", "cuda", "mps"]
    assert kind_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert devices_of("cpu") == ("cpu",)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:0"])
def test_a_device_that_torch_would_not_know_is_refused_by_the_recipe(device):
    with pytest.raises(ValueError, match="should match pattern"):
        AlignmentConfig(device=device)


class Failing:
    """A model that fails on some records, as one that runs out of memory on a large batch does."""

    pad, width = 0, None

    def pieces(self, text):
        return [tuple(map(ord, text))]

    def unknown(self, tokens):  # noqa: ARG002 - the protocol
        return 0.0

    def prepared(self, image):
        if image.width == 2:
            raise ValueError("a strange\nimage")
        return np.asarray([image.width, 1.0], np.float32)

    def of_images(self, prepared):
        if len(prepared) > 2:
            raise MemoryError("out of memory")
        rows = np.stack(prepared)
        return np.where(rows == 5, np.nan, rows)

    def of_texts(self, tokens, real):
        if (tokens == ord("!")).any():
            raise RuntimeError("CUDA out of memory")
        return np.stack([real.sum(axis=1), np.ones(len(real))], axis=1).astype(np.float32)


def test_one_failing_record_fails_alone_and_says_why():
    model = Embedder(Failing(), 4)
    found = model.images([Pil.new("RGB", (width, 1)) for width in (1, 2, 3, 4, 5, 6)])
    assert found.faults == {1: "ValueError: a strange image", 4: NOT_FINITE}
    assert not found.rows[[1, 4]].any()
    assert np.allclose(np.linalg.norm(found.rows[[0, 2, 3, 5]], axis=1), 1)
    said = model.texts(["a", "bc!", "def", "!"])
    assert said.faults == dict.fromkeys((1, 3), "RuntimeError: CUDA out of memory")


@pytest.mark.parametrize(
    ("backend", "name", "languages"),
    [
        ("clip", "ViT-B/32", ("en",)),
        ("open_clip", "ViT-B-16-SigLIP2/webli", None),
        ("open_clip", "ViT-B-16-SigLIP-i18n-256/webli", None),
        ("open_clip", "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k", None),
        ("open_clip", "ViT-H-14-quickgelu/dfn5b", ("en",)),
        ("transformers", "google/siglip2-base-patch16-224@" + "0" * 40, None),
        ("transformers", "openai/clip-vit-base-patch32@" + "0" * 40, ("en",)),
        ("transformers", "someone/unknown@" + "0" * 40, None),
    ],
)
def test_published_models_know_the_languages_of_their_training(backend, name, languages):
    assert known_languages(backend, name, published=True) == languages
    assert known_languages(backend, name, published=False) is None


def test_languages_of_the_recipe_are_those_of_the_model():
    section = AlignmentConfig(model="ViT-B/32", languages=["fr", "de"])
    mine = weights_of(section, "ViT-B/32", None, True)
    assert mine.languages == ("de", "fr")
    assert [mine.knows(code) for code in ("de", "en", None)] == [True, False, True]
    with pytest.raises(ValueError, match="unknown language 'german'; write de"):
        AlignmentConfig(model="ViT-B/32", languages=["german"])
