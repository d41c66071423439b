r"""Escape image placeholders and special tokens in the text of a document.

Many formats mark the place of an image with `<image>` and count these placeholders, so a page about such
formats breaks its row; and tokenizers read `<|im_start|>` in a text as the start of a turn and
`<|image_pad|>` as an image. One rule for all formats:

    a backslash is added after the `<` or `[` of a placeholder or special token,      <image>   ->  <\image>
    also after existing backslashes, so that unescaping is as simple:                 <\image>  ->  <\\image>

Escaped are `<|...|>` (also with the wide bars of DeepSeek), `<name>`, `</name>` and `<name/>` of NAMES in any
case, `[NAME]` and `[/NAME]` of SQUARE. Other tags are not escaped, which would fill pages about HTML with
backslashes. A token has no `<`, `[` or backslash after its first character, so an added backslash is never
inside another one: unescape(escape(text)) == text, for every text.

Chosen over an entity (`&lt;image&gt;`), which texts contain already, over an invisible zero-width character,
and over a space, which cannot be undone.
"""

from __future__ import annotations

import re

ESCAPED = "leafinstruct-1"
"""Value of `escaped` in a record whose texts were escaped by this rule, so that they can be unescaped."""

NAMES = (
    r"image(?:[ _-]?\d{1,4})?|images|picture|videos?|audios?|speech|img|image_(?:pad|token|"
    r"soft_token|placeholder)|"
    r"(?:start|end|begin)_of_(?:image|audio|turn|text|utterance)|(?:start|end)[-_]image|"
    r"image_(?:start|end)|img_(?:context|start|end)|"
    r"vision_(?:start|end|pad)|fake_token_around_image|global-img|row_\d{1,3}_col_\d{1,3}|boi|eoi|"
    r"bbox|box|quad|ref|ref-object|point|cot-process|"
    r"s|pad|unk|bos|eos|eod|eot|eoss|mask|sep|cls|begin|end|sys|racm3:break|reserved\d{1,6}|"
    r"unused_?\d{1,6}|extra_id_\d{1,4}|"
    r"think|tool_call|tool_response|tools|answer|fim_(?:prefix|middle|suffix|pad)"
)
"""Placeholders of LLaMA-Factory and ms-swift, and special tokens of vision-language models' tokenizers,
without their `<` and `>`."""
SQUARE = (
    r"INST|IMG|IMG_BREAK|IMG_END|VIDEO|AUDIO|CLS|SEP|MASK|PAD|UNK|BOS|EOS|gMASK|sMASK|SYSTEM_PROMPT|"
    r"TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|"
    r"AVAILABLE_TOOLS|PREFIX|MIDDLE|SUFFIX|THINK|control_\d{1,4}"
)
"""Special tokens of Llama 2, Mistral, BERT, GLM and Emu2 in square brackets, in this case only."""

_ANGLE_TAIL = rf"(?:/?(?i:{NAMES})/?>|[|\uff5c][^<\[>|\uff5c\\\n]{{1,64}}[|\uff5c]>)"
_SQUARE_TAIL = rf"/?(?:{SQUARE})\]"
_ANY = re.compile(rf"<\\*(?={_ANGLE_TAIL})|\[\\*(?={_SQUARE_TAIL})")
_ESCAPED = re.compile(rf"<\\+(?={_ANGLE_TAIL})|\[\\+(?={_SQUARE_TAIL})")


def escape(text: str) -> str:
    """Add a backslash to every placeholder and special token."""
    return _ANY.sub(lambda found: found[0] + "\\", text) if "<" in text or "[" in text else text


def unescape(text: str) -> str:
    """Return the text that was given to `escape`."""
    return _ESCAPED.sub(lambda found: found[0][:-1], text) if "\\" in text else text
