r"""Text of a document that says `<image>` or `<|im_start|>` -> text that says so to people, and to no reader
of datasets.

Formats that put a mark where an image stands count marks, so a page about such formats breaks its row; and
trainers hand text to tokenizers that take `<|im_start|>` for what begins a turn and `<|image_pad|>` for an
image. One rule for all formats:

    a backslash is put behind the `<` or `[` that begins what looks like a mark or a control token,     <image>   ->  <\image>
    also where backslashes stand there already, so that the way back is as simple:                      <\image>  ->  <\\image>

What looks like one: `<|...|>` (also with the wide bars of DeepSeek), `<name>`, `</name>` and `<name/>` of
NAMES in any case, `[NAME]` and `[/NAME]` of SQUARE. Not every `<word>`, which would fill pages about HTML
with backslashes. What can look like one holds no `<`, no `[` and no backslash behind its first character, so
what is put in never falls into another one: unescape(escape(text)) == text, for every text.

Chosen over an entity (`&lt;image&gt;`), which texts hold already, over a zero-width character, which nobody
sees, and over a space, which has no way back.
"""

from __future__ import annotations

import re

ESCAPED = "leafinstruct-1"
"""What a record says in `escaped` when its texts were escaped by this rule; who knows it can go the way
back."""

NAMES = (
    r"image(?:[ _-]?\d{1,4})?|images|picture|videos?|audios?|speech|img|image_(?:pad|token|soft_token|placeholder)|"
    r"(?:start|end|begin)_of_(?:image|audio|turn|text|utterance)|(?:start|end)[-_]image|image_(?:start|end)|img_(?:context|start|end)|"
    r"vision_(?:start|end|pad)|fake_token_around_image|global-img|row_\d{1,3}_col_\d{1,3}|boi|eoi|bbox|box|quad|ref|ref-object|point|cot-process|"
    r"s|pad|unk|bos|eos|eod|eot|eoss|mask|sep|cls|begin|end|sys|racm3:break|reserved\d{1,6}|unused_?\d{1,6}|extra_id_\d{1,4}|"
    r"think|tool_call|tool_response|tools|answer|fim_(?:prefix|middle|suffix|pad)"
)
"""Marks of LLaMA-Factory and ms-swift, and control tokens of vision-language models' tokenizers that stand
between `<` and `>`."""
SQUARE = (
    r"INST|IMG|IMG_BREAK|IMG_END|VIDEO|AUDIO|CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK|sMASK|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|"
    r"AVAILABLE_TOOLS|PREFIX|MIDDLE|SUFFIX|THINK|control_\d{1,4}"
)
"""Those of Llama 2, Mistral, BERT, GLM and Emu2 that stand between square brackets, in this case only."""

_ANGLE_TAIL = rf"(?:/?(?i:{NAMES})/?>|[|\uff5c][^<\[>|\uff5c\\\n]{{1,64}}[|\uff5c]>)"
_SQUARE_TAIL = rf"/?(?:{SQUARE})\]"
_ANY = re.compile(rf"<\\*(?={_ANGLE_TAIL})|\[\\*(?={_SQUARE_TAIL})")
_ESCAPED = re.compile(rf"<\\+(?={_ANGLE_TAIL})|\[\\+(?={_SQUARE_TAIL})")


def escape(text: str) -> str:
    """The text with a backslash in every mark and control token."""
    return _ANY.sub(lambda found: found[0] + "\\", text) if "<" in text or "[" in text else text


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: found[0][:-1], text) if "\\" in text else text
