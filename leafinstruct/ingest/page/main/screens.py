"""Recognize classes that hide an element on an ordinary screen: a light desktop of 1920 px.

Pages have twins of images and texts, one for phones and one for desktops, one for light and one for dark
screens, and class names of well-known style sheets decide which is shown:

    Bootstrap          d-none d-md-block, d-md-none, hidden-lg, visible-xs, hidden-md-up
    Tailwind           hidden md:block, md:hidden, dark:hidden, max-md:hidden
    Foundation         show-for-small-only, hide-for-medium
    Bulma, UIkit       is-hidden-desktop, uk-hidden@m
    Materialize, Ionic hide-on-med-and-up, ion-hide-md-up; the same in Vuetify
    Elementor, Semantic elementor-hidden-desktop; `mobile only`
    others             mobile-only, hide-on-desktop, only-dark, sp-only

A plain `hidden` or `d-none` is not enough: scripts remove it from tabs and folded texts, which are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from leafinstruct.ingest.fields.text import word_set

_MAYBE = re.compile(r"none|hid|show|visible|only|dark|clone|duplicate|dn-|lt-")
"""Every class that is recognized contains one of these."""
_SIZES = ("", "xxs", "xs", "sm", "md", "lg", "xl", "xxl", "2xl", "3xl", "xxxl")
_SIZE = "xxs|xs|sm|md|lg|xl|xxl|2xl|xxxl|3xl"
_DISPLAY = (
    r"none|hidden|block|inline(?:-(?:block|flex|grid|table))?|flex|grid|table(?:-(?:row|cell))?|"
    r"contents|initial"
)
_STEP = re.compile(rf"(?:d-(?:({_SIZE})-)?|(?:({_SIZE}):)?)({_DISPLAY})")
"""Display from a width on: `d-md-none`, `md:hidden`, `d-none`, `hidden`."""
_FROM_SIZE = (
    rf"hidden-(?:lg|xl|xxl)|hidden-(?:{_SIZE})-up|visible-(?:xs|sm|md)(?:-(?:block|inline|inline-block))?|"
    rf"(?:hidden|hide)-(?:{_SIZE})-and-up|(?:{_SIZE}):max-(?:{_SIZE}):(?:block|flex)|lt-(?:sm|md|lg|xl)|"
    rf"(?:d-)?(?:{_SIZE})-and-up-none|(?:vc|uk|u|l)-hidden-(?:lg|xl|large)|vc_hidden-lg|dn-(?:l|ns)|"
    rf"ion-hide-(?:{_SIZE})-up|uk-hidden@(?:s|m|l|xl)|uk-visible-(?:small|medium)|"
    r"hide-on-(?:med-and-up|large-only|large-and-up|extra-large-only)|show-on-(?:small|medium)(?:-only)?"
)
_FOUNDATION = (
    r"hide-for-(?:small|medium|large|xlarge|xxlarge)(?:-up)?|"
    r"show-for-(?:small|medium)-(?:only|down)|show-for-(?:portrait|sr|dark-mode|print)|"
    r"show-for-small|hide-for-(?:landscape|light-mode)"
)
_NAMED = (
    r"is-hidden-(?:tablet|desktop|widescreen|fullhd)|"
    r"elementor-hidden-(?:desktop|widescreen)|"
    r"(?:(?:show|visible|view|display|only|is|for|on)[-_]{1,2})*(?:mobile|phone|smartphone|sp|tablet)[-_]{1,2}only|"
    r"(?:only|show|visible|display)[-_]{1,2}(?:on[-_])?(?:mobile|phone|smartphone|sp|tablet|small)(?:[-_]only)?|"
    r"(?:mobile|phone)[-_]{1,2}(?:visible|show)|"
    r"(?:hide|hidden|no|not)[-_]{1,2}(?:on[-_]|for[-_])?(?:desktop|pc|large)|(?:desktop|pc)[-_]{1,2}(?:hidden|hide|none)|"
    r"(?:dark|night)(?:-(?:mode|theme|scheme))?-only|(?:only|show|visible)-(?:in-|on-)?dark(?:-mode|-theme)?|"
    r"(?:hide|hidden)-(?:in-|on-)?light(?:-mode|-theme)?"
)
_HIDDEN = re.compile(rf"{_FROM_SIZE}|{_FOUNDATION}|{_NAMED}")
_CLONES = word_set(
    """slick-cloned swiper-slide-duplicate cloned bx-clone flex-clone is-clone splide__slide--clone
    glide__slide--clone tns-slide-cloned slide-clone"""
)
"""Copies of slides, which carousels put before the first and after the last one."""
_VISIBLE_AGAIN = re.compile(r"visible-(?:lg|xl|xxl)(?:-(?:block|inline|inline-block))?")
_WORDS = word_set("mobile tablet phone")
_DARK_URL = re.compile(r"#(?:gh-dark-mode-only|only-dark)$")


def is_for_others(written: str) -> bool:
    """Whether a class attribute hides an element on this screen, or it is a copy."""
    if _MAYBE.search(written) is None:
        return False
    classes = written.split()
    if not _CLONES.isdisjoint(classes) or ("only" in classes and not _WORDS.isdisjoint(classes)):
        return "computer" not in classes
    if any(_HIDDEN.fullmatch(name) for name in classes):
        return not any(_VISIBLE_AGAIN.fullmatch(name) for name in classes) and not _is_shown(classes)
    return _is_hidden_from_a_size(classes)


def is_for_dark(url: str) -> bool:
    """Whether a URL has the mark of images for dark screens, as GitHub and MkDocs read it."""
    return _DARK_URL.search(url) is not None


def _is_shown(classes: Sequence[str]) -> bool:
    """Whether a class of the kind `lg:block` shows an element at this width."""
    return any(
        (step := _STEP.fullmatch(name)) is not None
        and _size_of(step) > 0
        and step[3] not in ("none", "hidden")
        for name in classes
    )


def _is_hidden_from_a_size(classes: Sequence[str]) -> bool:
    """Whether the display of the largest size that has one is none, in Bootstrap and Tailwind, and it is not
    so at each size; or the element is only shown in dark pages."""
    sized = [(_size_of(step), step[3]) for name in classes if (step := _STEP.fullmatch(name)) is not None]
    hidden = {"none", "hidden"}
    if any(size for size, _ in sized):
        return max(sized, key=lambda item: item[0])[1] in hidden
    dark = any(
        name.startswith("dark:") and name[5:] not in hidden and _STEP.fullmatch(name[5:]) for name in classes
    )
    return dark and any(display in hidden for _, display in sized)


def _size_of(step: re.Match[str]) -> int:
    return _SIZES.index(step[1] or step[2] or "")
