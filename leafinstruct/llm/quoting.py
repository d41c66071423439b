r"""Text of strangers, as it stands in a prompt: a JSON string in which no special token of any tokenizer can
begin.

Servers hand prompts to tokenizers that take `<|im_end|>` or `[/INST]` for the end of a turn and `<image>` for
an image, also where a page says so. A JSON string may write any character as an escape, so the text that it
holds is unchanged: json.loads(quoted(text)) == text. Escaped is what special tokens begin with in the
tokenizers that we know:

    <  and its wide forms, which some tokenizers normalize      <s>, <|im_start|>, <image>, <start_of_turn>, DeepSeek, Phi, Cohere, Gemma, ...
    [WORD]  a bracket round letters without a space             Mistral [INST], BERT [CLS], EXAONE [|user|], Kimi [EOS]
    ]~  ]<  [e~[                                                MiniMax
    the white triangle                                          Kimi-VL

Every `<` is escaped, not the names in records/escaping.py: exports keep pages about HTML readable for people,
a prompt is read by a model, and the next model has other names. Not every `[`, since lists, links and
references are full of them, and [1] begins no token.
"""

from __future__ import annotations

import json
import re

_IN_BRACKETS = r"[^\s\"\[\]\uff3b\uff3d]{0,64}"
_BEGINS = re.compile(
    rf"[<\uff1c\ufe64\u25c1\u27e8]|[\[\uff3b](?={_IN_BRACKETS}[^\W\d_]{_IN_BRACKETS}[\]\uff3d])|\](?=[~<])|\[(?=e~\[)"
)
_ESCAPE = r"\\u(003c|ff1c|fe64|25c1|27e8|005b|ff3b|005d)"
_COPY = re.compile(_ESCAPE, re.IGNORECASE)
_OWN = re.compile(rf"\\{_ESCAPE}", re.IGNORECASE)


def quoted(text: str) -> str:
    """The text as a JSON string that begins no special token."""
    return unmarked(json.dumps(text, ensure_ascii=False))


def unmarked(text: str) -> str:
    """Text that is JSON, or looks like it, with an escape for each character that may begin a special
    token."""
    return _BEGINS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def has_own_escapes(question: str) -> bool:
    """Whether a quoted text itself says, letter by letter, what `unmarked` writes, as a page about JSON
    may."""
    return _OWN.search(question) is not None


def without_copies(text: str) -> str:
    """A string of an answer whose model copied the escapes letter by letter; only for a question without
    escapes of its own."""
    return _COPY.sub(lambda found: chr(int(found[1], 16)), text)
