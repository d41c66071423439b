"""Pages in prompts: the text is unchanged, and no tokenizer finds a special token in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.asking import question
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFKC

from leafinstruct.llm.protocol.wire import repair_turns
from leafinstruct.llm.quoting import has_own_escapes, quoted, unmarked, without_copies

SPECIAL = (
    "<s>", "</s>", "<unk>", "<pad>", "<mask>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|image|>",  # noqa: E501
    "<|image_pad|>", "<|vision_start|>", "<|channel|>", "<|message|>", "<|START_OF_TURN_TOKEN|>", "<start_of_turn>", "<end_of_turn>", "<image>",  # noqa: E501
    "<img>", "</img>", "<IMG_CONTEXT>", "<image_soft_token>", "<unused94>", "<think>", "</think>", "<tool_call>", "<fim_prefix>", "<extra_id_0>",  # noqa: E501
    "<0x0A>", "<loc0001>", "<reserved_106>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cUser\uff5c>", "[INST]", "[/INST]", "[IMG]",  # noqa: E501
    "[IMG_BREAK]", "[TOOL_CALLS]", "[THINK]", "[/THINK]", "[SYSTEM_PROMPT]", "[CLS]", "[SEP]", "[MASK]", "[gMASK]", "[|system|]", "[|endofturn|]",  # noqa: E501
    "[UNUSED_TOKEN_146]", "[control_8]", "[BOS]", "[EOT]", ">>TITLE<<", "]~b]", "]~!b[", "[e~[", "]<]image[>[",  # noqa: E501
    "\u25c1think\u25b7", "\u25c1/think\u25b7",
)  # fmt: skip
"""Of Llama, Qwen, gpt-oss, Cohere, Gemma, InternVL, Mistral, Pixtral, DeepSeek, BERT, GLM, EXAONE, InternLM,
Kimi, Falcon, MiniMax, T5, PaliGemma."""


@pytest.fixture(scope="module", params=["plain", "normalized"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """One that knows them all and nothing else; `normalized` finds them also in wide letters, as T5's
    does."""
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = NFKC()
    tokenizer.add_special_tokens(
        [AddedToken(name, normalized=request.param == "normalized") for name in SPECIAL]
    )
    return tokenizer


def special(tokenizer: Tokenizer, text: str) -> list[str]:
    return [token for token in tokenizer.encode(text).tokens if token]


@pytest.mark.parametrize("name", SPECIAL)
def test_no_special_token_of_a_page_reaches_a_tokenizer(tokenizer: Tokenizer, name: str) -> None:
    page = f"see {name} and{name}{name}, \\{name} [{name}] <{name}> {name[:1]}{name}"
    assert special(tokenizer, json.dumps(page, ensure_ascii=False))
    assert special(tokenizer, quoted(page)) == []
    assert json.loads(quoted(page)) == page


def test_wide_letters_are_no_way_round(tokenizer: Tokenizer) -> None:
    page = "\uff1cs\uff1e \ufe64image\ufe65 \uff3bINST\uff3d"
    assert special(tokenizer, quoted(page)) == []
    assert json.loads(quoted(page)) == page


@given(
    st.lists(
        st.sampled_from(SPECIAL)
        | st.text(max_size=4)
        | st.sampled_from(["\\", '"', "<", "[", "]", "~", "|", " "]),
        max_size=8,
    )
)
def test_the_text_is_unchanged_and_begins_no_special_token(pieces: list[str]) -> None:
    page = "".join(pieces)
    text = quoted(page)
    assert json.loads(text) == page
    assert not any(name in text for name in SPECIAL)


@given(st.text(st.sampled_from('<[]\\"u03cb ~A'), max_size=12))
def test_copied_escapes_are_read_back_where_the_page_has_none_of_its_own(page: str) -> None:
    """A model that copies the letters between the quotation marks, escapes and all, into a string of its
    answer."""
    text = quoted(page)
    if "\\\\" in text or '\\"' in text:
        return  # then its copy is no longer what a page says: see the next line's law
    assert not has_own_escapes(text)
    assert without_copies(text[1:-1]) == page


def test_lists_links_and_references_stay_readable() -> None:
    text = "- [ ] a task [1], see [the page](https://a.example/b[2]) and a > b"
    assert quoted(text) == json.dumps(text)


def test_a_bad_answer_that_is_sent_back_holds_no_thoughts_and_no_special_token(tokenizer: Tokenizer) -> None:
    text = f'<think>{"hm " * 9_000}</think>{{"score": 9, "reason": "{" ".join(SPECIAL)}"}}'
    answer, rule = repair_turns(question(), text, "score must be an integer from 1 to 5")
    assert special(tokenizer, answer["content"]) == []
    assert json.loads(answer["content"]) == {"score": 9, "reason": " ".join(SPECIAL)}
    assert rule["content"].startswith("Rule: score must be an integer from 1 to 5. ")
    long, _ = repair_turns(question(), "a" * 8_000_000, "x")
    assert len(long["content"]) < 20_000
    assert unmarked("no tokens") == "no tokens"
