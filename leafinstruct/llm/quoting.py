"""Quote untrusted text in a prompt: as a JSON string in which no special token of any tokenizer can begin.

Servers pass prompts to tokenizers that read `<|im_end|>` or `[/INST]` as the end of a turn and `<image>` as
an image, even if a web page contains them. A JSON string may write any character as an escape without
changing its content: json.loads(quoted(text)) == text. The characters that begin special tokens in the known
tokenizers are escaped:

    <  and its wide forms, which some tokenizers normalize      <s>, <|im_start|>, <image>, <start_of_turn>
    [WORD]  a bracket before letters without a space            Mistral [INST], BERT [CLS], EXAONE [|user|]
    ]~  ]<  [e~[                                                MiniMax
    the white triangle                                          Kimi-VL

Every `<` is escaped, not only the names in records/escaping.py: exports keep pages about HTML readable for
people, but a prompt is read by a model, and the next model has other names. Not every `[` is escaped, since
lists, links and references are full of them, and [1] begins no token.

Prompts show the text that a person sees (`visible`), since a page can hide a message to a model in characters
that only a model reads.
"""

from __future__ import annotations

import json
import re

import regex

_IN_BRACKETS = r"[^\s\"\[\]\uff3b\uff3d]{0,64}"
_BEGINS = re.compile(
    rf"[<\uff1c\ufe64\u25c1\u27e8]|[\[\uff3b](?={_IN_BRACKETS}[^\W\d_]{_IN_BRACKETS}[\]\uff3d])|"
    r"\](?=[~<])|\[(?=e~\[)"
)
_ESCAPE = r"\\u(003c|ff1c|fe64|25c1|27e8|005b|ff3b|005d)"
_COPY = re.compile(_ESCAPE, re.IGNORECASE)
_OWN = re.compile(rf"\\{_ESCAPE}", re.IGNORECASE)


_LINE_ENDS = re.compile("[\u0085\u2028\u2029]")
_HIDDEN = regex.compile(
    r"(?:[\p{Default_Ignorable_Code_Point}--[\u200c\u200d\ufe0e\ufe0f]]|[\u200c\u200d]{2,}|[\ufe0e\ufe0f]{2,})+",
    regex.V1,
)
"""Characters that no reader sees: zero-width ones, directions, tags, fillers, variation selectors. Single
joiners and selectors of emoji stay, since scripts and emoji need them."""


def visible(text: str) -> str:
    """The text as a reader sees it. Line ends that JSON does not escape become `\\n`, which it does."""
    return _LINE_ENDS.sub("\n", _HIDDEN.sub("", text))


def quoted(text: str) -> str:
    """Return the text as a JSON string that begins no special token."""
    return unmarked(json.dumps(text, ensure_ascii=False))


def unmarked(text: str) -> str:
    """Escape each character that may begin a special token, in text that is JSON or looks like it."""
    return _BEGINS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def has_own_escapes(question: str) -> bool:
    """Whether a quoted text itself contains, letter by letter, the escapes that `unmarked` writes, as a
    page about JSON may."""
    return _OWN.search(question) is not None


def without_copies(text: str) -> str:
    """Undo escapes that the model copied letter by letter into its answer; only for a question without
    escapes of its own."""
    return _COPY.sub(lambda found: chr(int(found[1], 16)), text)
