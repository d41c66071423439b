"""Recipes: every fault is one line that names key and hint; a path is relative to the recipe."""

from pathlib import Path

import pytest
from making import recipe

from leafinstruct.errors import RENAMED, RecipeError
from leafinstruct.recipe import load as recipes

SKETCH = {"sources": [{"kind": "sketchbook", "seed": 1, "documents": 10}]}
REPOSITORY = Path(__file__).parent.parent.parent


def fault(path: Path, *changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        recipes.load(path, changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"ingets": {}, "ingest": SKETCH}, "ingets: unknown key; did you mean 'ingest'?"),
        (
            {"ingest": SKETCH, "filter": {"min_image": 2}},
            "filter.min_image: unknown key; did you mean 'min_images'?",
        ),
        (
            {"ingest": SKETCH, "filter": {"rules": [{"score": "aligment.mean", "min": 0.2}]}},
            "filter.rules[0].score: unknown score 'aligment.mean'; did you mean",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": ["english"]}},
            "filter.languages: unknown language 'english'; write en",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": ["en", "DE"]}},
            "filter.languages: unknown language 'DE'; write de",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": ["pt-BR"]}},
            "filter.languages: unknown language 'pt-BR'; write pt",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": ["frnch"]}},
            "filter.languages: unknown language 'frnch'; did you mean fr (French)?",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": [12]}},
            "filter.languages: unknown language 12; write a code of ISO 639, such as en or de",
        ),
        (
            {"ingest": SKETCH, "filter": {"languages": [False]}},
            "filter.languages: a bare no is false in YAML; write 'no' in quotes for Norwegian",
        ),
        ({"ingest": SKETCH, "filter": {"languages": []}}, "filter.languages: at least 1 is needed"),
        ({"ingest": SKETCH, "part_size": "many"}, "part_size: input should be a valid integer"),
        (
            {"ingest": SKETCH, "version": 1.1},
            "version: input should be a valid string, not 1.1; write it in quotes",
        ),
        ({}, "ingest: missing"),
        (
            {"ingest": {"sources": [{"kind": "pdf", "name": "a", "path": "x"}]}},
            (
                "ingest.sources[0].kind: one of mmc4, obelics, mint1t, html, warc, hub, conversations, "
                "video, youcook2, vist, sketchbook is needed"
            ),
        ),
        (
            {"ingest": {"sources": [{"kind": "mmc4", "name": "a", "path": "x", "imagse": "y"}]}},
            "ingest.sources[0].imagse: unknown key; did you mean 'images'?",
        ),
        (
            {"ingest": SKETCH, "shard": {"splits": {"train": 0.5}}},
            "shard.splits: shares must be 0 or more and sum to 1, not 0.5",
        ),
        (
            {"ingest": SKETCH, "rewrite": {"tasks": []}},
            "rewrite.tasks: tasks is a list of at least one task family, such as [guide, ",
        ),
        (
            {"ingest": SKETCH, "rewrite": {"tasks": "guide"}},
            "rewrite.tasks: tasks is a list of at least one task family, such as [guide, ",
        ),
        (
            {"ingest": SKETCH, "rewrite": {"tasks": [{"name": "guide", "ask": ["Hi {titel}"]}]}},
            "rewrite.tasks[0].ask: the question 'Hi {titel}' uses {titel}; did you mean {title}?",
        ),
        ({"ingest": []}, "ingest: input should be a valid mapping"),
        (
            {
                "ingest": {
                    "sources": [
                        {
                            "kind": "hub",
                            "name": "a",
                            "path": "x",
                            "segments": [{"text": "t", "placeholder": {}}],
                        }
                    ]
                }
            },
            "ingest.sources[0].segments[0].placeholder: unknown key; did you mean 'placeholders'?",
        ),
    ],
)
def test_a_wrong_key_or_value_is_one_line_with_its_place_and_hint(tmp_path, sections, message):
    path = recipe(tmp_path, **sections)
    found = fault(path)
    assert message in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"filter": {"pictures": {}}}, "filter.pictures: unknown key; it is now called 'images'"),
        (
            {"filter": {"judge": {"max_pictures": 2}}},
            "filter.judge.max_pictures: unknown key; it is now called 'max_images'",
        ),
        (
            {"filter": {"judge": {"picture_px": 64}}},
            "filter.judge.picture_px: unknown key; it is now called 'image_px'",
        ),
        ({"rewrite": {"picture_px": 64}}, "rewrite.picture_px: unknown key; it is now called 'image_px'"),
        ({"shard": {"together": ["text"]}}, "shard.together: unknown key; it is now called 'group_by'"),
        ({"push": {"pictures": "reference"}}, "push.pictures: unknown key; it is now called 'images'"),
        (
            {"push": {"picture_licenses": ["MIT"]}},
            "push.picture_licenses: unknown key; it is now called 'image_licenses'",
        ),
        (
            {"train": {"picture_tokens": 64}},
            "train.picture_tokens: unknown key; it is now called 'image_tokens'",
        ),
        (
            {"train": {"picture_floor": 64}},
            "train.picture_floor: unknown key; it is now called 'image_floor'",
        ),
        (
            {"train": {"adapter": {"taps": "raster"}}},
            "train.adapter.taps: unknown key; it is now called 'neighbors'",
        ),
        (
            {"train": {"adapter": {"taps_seed": 1}}},
            "train.adapter.taps_seed: unknown key; it is now called 'neighbors_seed'",
        ),
        (
            {"ingest": {"sources": [{"kind": "mmc4", "name": "a", "path": "x", "pictures": "y"}]}},
            "ingest.sources[0].pictures: unknown key; it is now called 'images'",
        ),
        (
            {
                "ingest": {
                    "sources": [
                        {
                            "kind": "hub",
                            "name": "a",
                            "path": "x",
                            "segments": [{"text": "t", "marks": {"[{n}]": "i"}}],
                        }
                    ]
                }
            },
            "ingest.sources[0].segments[0].marks: unknown key; it is now called 'placeholders'",
        ),
        *(
            (
                {"filter": {"rules": [{"score": old, "max": 1}]}},
                f"filter.rules[0].score: unknown score {old!r}; it is now called {new!r}",
            )
            for old, new in RENAMED.items()
            if "." in old
        ),
    ],
)
def test_a_key_of_before_names_the_one_of_now(tmp_path, sections, message):
    assert message in fault(recipe(tmp_path, **{"ingest": SKETCH, **sections}))


def test_set_with_a_key_of_before_names_the_one_of_now(tmp_path):
    path = recipe(tmp_path, ingest=SKETCH)
    assert "filter.judge.max_pictures: unknown key; it is now called 'max_images'" in fault(
        path, "filter.judge.max_pictures=2"
    )


def test_a_key_in_the_wrong_place_is_not_repeated(tmp_path):
    for llm in ({"key_env": "sk-secret123"}, {"model": {"sk-secret123": 1}}, {"api_key": "sk-secret123"}):
        assert "secret123" not in fault(recipe(tmp_path, ingest=SKETCH, llm=llm))


def test_two_faults_are_two_lines(tmp_path):
    found = fault(recipe(tmp_path, ingest=SKETCH, filter={"min_image": 2}, part_size=0))
    assert len(found.splitlines()) == 2


def test_what_is_not_yaml_is_located(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("name: a\ningest: [\n")
    assert "line 3" in fault(path)
    path.write_text("- a\n- b\n")
    assert "a recipe is a mapping" in fault(path)


def test_set_changes_one_value_and_a_wrong_place_is_named(tmp_path):
    path = recipe(tmp_path, ingest=SKETCH, filter={"rules": [{"score": "text.links", "max": 2}]})
    loaded = recipes.load(
        path, ("filter.rules[0].max=7", "ingest.sources[0].documents=3", "llm={provider: offline}")
    )
    assert loaded.recipe.filter.rules[0].max == 7
    assert loaded.recipe.ingest.sources[0].documents == 3
    assert "there is no such place" in fault(path, "filter.rules[4].max=7")
    assert "write key=value" in fault(path, "filter")


def test_paths_are_relative_to_the_recipe_wherever_it_is_called_from(tmp_path, monkeypatch):
    source = {"kind": "mmc4", "name": "m", "path": "data/x.jsonl", "images": "pics"}
    path = recipe(tmp_path, ingest={"sources": [source]}, filter={"alignment": {"model": "ViT-B/32"}})
    monkeypatch.chdir(tmp_path.parent)
    found = recipes.load(path).recipe.ingest.sources[0]
    assert (found.path, found.images) == (str(tmp_path / "data/x.jsonl"), str(tmp_path / "pics"))


def test_the_tiny_clip_scores_foreign_images_only_when_allowed(tmp_path):
    source = {"kind": "html", "name": "pages", "path": "x"}
    rule = {"score": "coherence.adjacent", "min": 0, "model": "leaf:tiny-clip-1"}
    path = recipe(tmp_path, ingest={"sources": [source]}, filter={"rules": [rule]})
    message = fault(path)
    assert "knows only Sketchbook, not pages" in message
    assert "ViT-B/32" in message
    assert recipes.load(path, ("filter.alignment.allow_toy=true",)).recipe.filter.clip == "leaf:tiny-clip-1"
    assert "knows only Sketchbook" in fault(
        path, "filter.rules=[]", "filter.alignment.model=leaf:tiny-clip-1"
    )


@pytest.mark.parametrize(
    ("section", "clip"),
    [
        ({}, None),
        ({"alignment": {"allow_toy": True, "batch_size": 4}}, None),
        ({"rules": [{"score": "text.links", "max": 2}]}, None),
        ({"rules": [{"score": "alignment.min", "min": 0, "uncalibrated": True}]}, "leaf:tiny-clip-1"),
        ({"rules": [{"score": "coherence.sequence", "min": 0, "uncalibrated": True}]}, "leaf:tiny-clip-1"),
        ({"alignment": {"share_above": 0.2}}, "leaf:tiny-clip-1"),
        ({"alignment": {"model": "ViT-B/32"}}, "ViT-B/32"),
    ],
)
def test_a_clip_is_used_where_a_rule_or_the_section_asks_for_its_scores(tmp_path, section, clip):
    assert recipes.load(recipe(tmp_path, ingest=SKETCH, filter=section)).recipe.filter.clip == clip


def test_a_bound_set_for_another_model_stops_the_build(tmp_path):
    rule = {"score": "alignment.mean", "min": 0.22, "model": "ViT-B/32"}
    path = recipe(tmp_path, ingest=SKETCH, filter={"rules": [rule]})
    assert "set for ViT-B/32, but leaf:tiny-clip-1 is used" in fault(path)
    recipes.load(path, ("filter.rules[0].uncalibrated=true",))


def test_judge_rules_wait_for_a_model_and_written_rules_for_its_absence(tmp_path):
    rules = [
        {"score": "judge.text_quality", "min": 3, "model": "m"},
        {"score": "rules.text_quality", "min": 3, "model": "offline-rules@4"},
    ]
    path = recipe(tmp_path, ingest=SKETCH, filter={"rules": rules})
    offline = recipes.load(path).recipe
    assert [recipes.is_active(offline, rule) for rule in offline.filter.rules] == [False, True]
    online = recipes.load(path, ("llm={provider: openai, base_url: http://localhost:1/v1, model: m}",)).recipe
    assert [recipes.is_active(online, rule) for rule in online.filter.rules] == [True, False]
    assert "set for m, but n is used" in fault(
        path, "llm={provider: openai, base_url: http://localhost:1/v1, model: n}"
    )


def test_templates_are_found_beside_the_recipe_then_one_folder_up_then_in_the_package(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    loaded = recipes.load(recipe(folder, ingest=SKETCH))
    assert loaded.template("prompts", "judge").text == (REPOSITORY / "prompts/judge.md").read_text()
    for place in (tmp_path, folder):
        (place / "prompts").mkdir()
        (place / "prompts/judge.md").write_text(str(place))
        assert loaded.template("prompts", "judge").text == str(place)
    with pytest.raises(RecipeError, match=r"no prompts/nope\.md"):
        loaded.template("prompts", "nope")


def test_where_a_recipe_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipes.locate(None, None).name == "demo.yaml"
    (tmp_path / "recipe.yaml").write_text("name: x")
    assert recipes.locate(None, None) == Path("recipe.yaml")
    other = tmp_path / "other.yaml"
    other.write_text("name: x")
    assert recipes.locate(None, str(other)) == other
    with pytest.raises(RecipeError, match=r"no such recipe; `leaf init DIR`"):
        recipes.locate(tmp_path / "none.yaml", None)


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "pipelines").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_packaged_recipe_is_valid(path):
    assert (recipes.load_training(path) if path.name.startswith("train-") else recipes.load(path).recipe).name


def test_one_recipe_may_build_and_train_and_is_checked_as_a_whole(tmp_path):
    section = {"data": "run:t", "backbone": {"name": "chameleon", "weights": "w"}}
    path = recipe(tmp_path, ingest=SKETCH, train=section)
    assert recipes.load(path).recipe.train == recipes.load_training(path).train
    assert recipes.load_training(path).train.backbone.weights == str(tmp_path / "w")
    assert recipes.load_training(path, ("train.steps=7",)).train.steps == 7
    assert recipes.load_training(path).directory == recipes.load(path).directory
    with pytest.raises(RecipeError, match=r"filter\.min_image: unknown key; did you mean 'min_images'"):
        recipes.load_training(recipe(tmp_path, ingest=SKETCH, train=section, filter={"min_image": 2}))
    with pytest.raises(RecipeError, match=r"train\.backbone\.wieghts: unknown key; did you mean 'weights'"):
        recipes.load_training(
            recipe(
                tmp_path,
                ingest=SKETCH,
                train={**section, "backbone": {"name": "emu3", "weights": "w", "wieghts": "x"}},
            )
        )


def test_a_version_and_a_limit_name_the_directory(tmp_path):
    path = recipe(tmp_path, ingest=SKETCH)
    assert recipes.load(path).directory == tmp_path / "runs/t"
    assert recipes.load(path, ("version='1.2'",), limit=5).directory == tmp_path / "runs/t@1.2-limit5"


def test_a_loaded_recipe_has_absolute_paths_only(tmp_path, monkeypatch):
    """Whatever is relative in the file, in --set or by default; names of models on the Hub stay names."""
    (tmp_path / "here/models/own").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    sections = {
        "ingest": {"sources": [{"kind": "html", "path": "pages", "name": "p"}]},
        "filter": {
            "alignment": {"model": "models/own", "backend": "open_clip"},
            "reference": [{"kind": "mmc4", "path": "a/*.jsonl", "images": "b", "name": "r"}],
        },
        "train": {"data": "shards", "backbone": {"name": "chameleon", "weights": "w", "decoder": "d.ckpt"}},
    }
    recipe(tmp_path / "here", workdir=None, **sections)
    path, here = Path("../here/recipe.yaml"), f"{tmp_path}/here"
    loaded = recipes.load(path, ("ingest.sources[0].path=other",))
    reference, train = loaded.recipe.filter.reference[0], loaded.recipe.train
    assert loaded.path == tmp_path / "elsewhere/../here/recipe.yaml"
    assert loaded.recipe.ingest.sources[0].path == f"{here}/other"
    assert (reference.path, reference.images) == (f"{here}/a/*.jsonl", f"{here}/b")
    assert loaded.recipe.filter.alignment.model == f"{here}/models/own"
    assert (train.data, train.backbone.weights) == (f"{here}/shards", f"{here}/w")
    assert train.backbone.decoder == f"{here}/d.ckpt"
    assert loaded.directory == tmp_path / "elsewhere/runs/t"
    assert loaded.answers == tmp_path / "elsewhere/runs/.answers"
    assert recipes.load(path, ("workdir=x",)).directory == tmp_path / "here/x/runs/t"
    named = recipes.load(path, ("filter.alignment.model=ORG/own@main",))
    assert named.recipe.filter.alignment.model == "ORG/own@main"
