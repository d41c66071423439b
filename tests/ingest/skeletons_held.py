"""Skeletons that were written after the rules and are never tuned on: what they score is what an unseen site may score."""

# ruff: noqa: E501 - mark-up, written as pages have it

from __future__ import annotations

import re

from ingest.skeletons import COMMENTS, Article, Skeleton, document, images, links, teasers


def drupal(page: Article) -> str:
    image = images(
        page.body,
        lambda a: (
            f'<div class="media media--type-image media--view-mode-default"><div class="field field--name-field-media-image field--type-image field--label-visually_hidden">'
            f'<div class="field__label visually-hidden">Image</div><div class="field__item"><img loading="lazy" src="{a["src"]}" alt="{a.get("alt", "")}" class="image-style-large"></div></div></div>'
        ),
    )
    return document(
        f"""<a href="#main-content" class="visually-hidden focusable">Skip to main content</a><div class="dialog-off-canvas-main-canvas" data-off-canvas-main-canvas><div class="layout-container">
<header role="banner"><div class="region region-header"><div id="block-branding" class="block block-system"><a href="/" rel="home">University Makerspace</a></div><div class="views-exposed-form" id="block-searchform"><form><label>Keywords</label><input></form></div></div></header>
<div class="region region-primary-menu"><nav role="navigation"><h2 class="visually-hidden">Main navigation</h2><ul>{links("Machines", "Courses", "Opening hours")}</ul></nav></div>
<div class="region region-highlighted"><div data-drupal-messages><div class="messages messages--status">The makerspace is closed on public holidays.</div></div></div>
<main role="main"><a id="main-content" tabindex="-1"></a><div class="layout-content"><div class="region region-content"><div id="block-page-title" class="block block-core block-page-title-block"><h1><span class="field field--name-title field--type-string">{page.title}</span></h1></div>
<div id="block-local-tasks" class="block"><ul class="tabs primary">{links("View", "Revisions")}</ul></div>
<div id="block-content" class="block block-system-main-block"><article data-history-node-id="7" role="article" class="node node--type-guide node--view-mode-full"><div class="node__meta"><span>Submitted by <span class="field--name-uid">lab manager</span> on <span>Tue, 02/06/2018 - 10:00</span></span></div>
<div class="node__content"><div class="clearfix text-formatted field field--name-body field--type-text-with-summary field--label-hidden field__item">{image}</div>
<div class="field field--name-field-tags field--type-entity-reference field--label-above"><div class="field__label">Tags</div><div class="field__items"><div class="field__item"><a href="/t/1">electronics</a></div><div class="field__item"><a href="/t/2">beginners</a></div></div></div>
<ul class="links inline"><li class="comment-add"><a href="/login">Log in to post comments</a></li></ul></div></article></div>
<div class="views-element-container block block-views" id="block-views-block-see-also"><h2>See also</h2><div class="view-content">{teasers(3, "div", "<div class='views-field'>12 Jan 2018</div>")}</div></div></div></div>
<aside class="layout-sidebar-second"><div class="region region-sidebar-second"><h2>Contact</h2><p>Room 1.24, ring twice.</p></div></aside></main>
<footer role="contentinfo"><div class="region region-footer"><p>Impressum</p></div></footer></div></div>"""
    )


def letter(page: Article) -> str:
    """In the manner of newsletter platforms: subscribe boxes inside the text, generated class names round it."""
    box = '<div class="subscription-widget-wrap"><div class="subscription-widget show-subscribe"><div class="preamble"><p class="cta-caption">This letter is free. To get new ones, consider becoming a subscriber.</p></div><div class="subscription-form"><a class="button primary" href="/subscribe">Subscribe</a></div></div></div>'
    body = images(
        page.body,
        lambda a: (
            f'<div class="captioned-image-container"><figure><a class="image-link image2 is-viewable-img" target="_blank" href="{a["src"]}"><div class="image2-inset"><picture><source type="image/webp" srcset="{a["src"]} 424w, {a["src"]} 1456w">'
            f'<img src="{a["src"]}" width="1456" height="970" class="sizing-normal" alt="{a.get("alt", "")}" fetchpriority="high"></picture><div class="image-link-expand"><div class="pencraft pc-display-flex"><button>x</button></div></div></div></a></figure></div>'
        ),
    )
    half = body.rfind("\n", 0, len(body) // 2)
    body = body[:half] + box + body[half:] if half > 0 and body[half + 1 : half + 2] == "<" else body + box
    meta = '<div class="pencraft pc-display-flex pc-gap-12 byline-wrapper"><a href="/@x"><img class="img-ab1" src="https://cdn.example/x.jpg" width="36" height="36"></a><div class="pencraft"><div class="profile-hover"><a href="/@x">Lena Maker</a></div><div class="pencraft pc-reset">Nov 02, 2023</div></div></div><div class="pencraft post-ufi"><a class="post-ufi-button">57</a><a class="post-ufi-button">8</a><a class="post-ufi-button">Share</a></div>'
    return document(
        f"""<div id="entry"><div id="main" class="main typography use-theme-bg"><div class="pencraft topBar-pIF0J1"><div class="logoContainer"><a href="/"><img src="https://cdn.example/wordmark.png" width="400" height="80"></a></div><div class="buttonsContainer"><button>Subscribe</button><button>Sign in</button></div></div>
<div><div class="container"><div class="single-post-container"><div class="single-post"><div class="pencraft pc-display-contents typography"><article class="typography newsletter-post post"><div class="post-header" role="region"><h1 dir="auto" class="post-title published title-X77sOw">{page.title}</h1>{meta}</div>
<div class="visibility-check"></div><div><div class="available-content"><div dir="auto" class="body markup">{body}</div></div></div><div class="post-footer">{meta}</div></article></div></div></div></div>
<div class="comments-page"><h4>Discussion about this post</h4><div class="comment-list-container">{"".join(f'<div class="comment"><div class="comment-body"><p>I read this letter every Thursday on my way to work, number {n}.</p></div></div>' for n in range(5))}</div></div>
<div class="portable-archive"><div class="portable-archive-header"><a>Top</a><a>Latest</a></div><div class="portable-archive-list">{teasers(5, "div", "<div>What I learned from a broken kettle</div><div>Oct 12</div>")}</div></div></div>
<div class="footer-wrap publication-footer"><div class="visibility-check"></div><div class="footer-terms">2024 Lena Maker</div></div></div></div>"""
    )


def german_theme(page: Article) -> str:
    """A bought theme with German texts: nothing that is left can be told by English words in it."""
    body = "\n".join(
        re.sub(
            r"<p>(<img[^>]*>)\s*</p>",
            r'<div class="fusion-image-frame"><span class="fusion-imageframe imageframe-none">\1</span></div>',
            block,
        )
        for block in page.blocks
    )
    return document(
        f"""<div id="boxed-wrapper"><div id="wrapper" class="fusion-wrapper"><div class="fusion-header-wrapper"><div class="fusion-header"><div class="fusion-logo"><a href="/"><img src="https://x.example/logo.png" width="220" height="66"></a></div><div class="fusion-main-menu"><ul id="menu-hauptmenue">{links("Startseite", "Anleitungen", "Über uns")}</ul></div></div></div>
<div class="fusion-page-title-bar fusion-page-title-bar-breadcrumbs"><div class="fusion-page-title-row"><div class="fusion-page-title-captions"><h1 class="fusion-title-heading">{page.title}</h1></div><div class="fusion-page-title-secondary"><div class="fusion-breadcrumbs"><span>Startseite</span> / <span>Anleitungen</span></div></div></div></div>
<div id="main"><div class="fusion-row"><section id="inhalt" style="float: left;"><div id="beitrag-9" class="beitrag"><div class="beitragsinhalt">{body}</div>
<div class="fusion-meta-info"><div class="fusion-meta-info-wrapper">Von <span class="vcard">Jürgen</span> | <span>12. März 2020</span> | Kategorien: <a href="#">Basteln</a></div></div>
<div class="fusion-sharing-box"><h4>Teilen Sie diesen Beitrag mit Ihren Freunden!</h4><div class="fusion-social-networks"><a href="#">Facebook</a></div></div>
<section class="about-author"><div class="title"><h3>Über den Autor: Jürgen</h3></div><div>Jürgen bastelt seit dreißig Jahren in seinem Keller.</div></section>
<section class="aehnliche-beitraege"><h3>Ähnliche Beiträge</h3><div class="fusion-carousel"><ul>{teasers(4)}</ul></div></section>
<div id="kommentare"><h3>4 Kommentare</h3><ol class="commentlist">{COMMENTS}</ol></div><div id="respond"><h3>Hinterlasse einen Kommentar</h3><form><textarea></textarea></form></div></div></section>
<div id="seitenleiste" style="float: right;"><div class="kasten"><h4>Neueste Beiträge</h4><ul><li><a href="/1">Ein Vogelhaus für den Winter</a></li><li><a href="/2">Die alte Werkbank wird neu</a></li></ul></div><div class="kasten"><h4>Werbung</h4><a href="https://shop.example"><img src="https://ads.example/300.jpg" width="300" height="250"></a></div></div></div></div>
<div class="fusion-footer"><div class="fusion-copyright-notice">Impressum | Datenschutz</div></div></div></div>
<div id="BorlabsCookieBox" class="BorlabsCookie" role="dialog"><p>Wir benutzen Cookies und andere Technologien auf unserer Website.</p></div>"""
    )


def blocks_site(page: Article) -> str:
    """In the manner of hosted site builders: every block a div of generated names, images by script, no article, no h1."""

    def block(number: int, text: str) -> str:
        kind = "image" if "<img" in text else "html"
        inner = images(
            text,
            lambda a: (
                f'<div class="sqs-image-shape-container-element has-aspect-ratio" style="padding-bottom:66%"><noscript><img src="{a["src"]}" alt="{a.get("alt", "")}"></noscript><img class="thumb-image" data-src="{a["src"]}" data-image="{a["src"]}" data-load="false" alt="{a.get("alt", "")}"></div>'
            ),
        )
        return f'<div class="sqs-block {kind}-block sqs-block-{kind}" data-block-type="2" id="block-yui_3_17_2_1_15{number}"><div class="sqs-block-content">{inner}</div></div>'

    body = "".join(block(number, text) for number, text in enumerate(page.blocks))
    return document(
        f"""<div id="siteWrapper" class="clearfix site-wrapper"><header id="header" class="show-on-scroll header theme-col--primary" data-section-id="header"><div class="header-announcement-bar-wrapper"><a href="#page" class="header-skip-link sqs-button-element--primary">Skip to Content</a></div><div class="header-inner container--fluid"><div class="header-title-nav-wrapper"><div class="header-title-text"><a id="site-title" href="/">Clay and Wire</a></div><div class="header-nav-wrapper"><nav><div class="header-nav-item"><a href="/classes">Classes</a></div></nav></div></div></div></header>
<div id="page" role="region" class="container"><div class="content-wrapper"><div class="content"><div class="sqs-layout sqs-grid-12 columns-12"><div class="row sqs-row"><div class="col sqs-col-12 span-12"><div class="sqs-block html-block"><div class="sqs-block-content"><h2 style="white-space:pre-wrap">{page.title}</h2></div></div>{body}</div></div></div>
<div class="user-items-list"><ul class="user-items-list-item-container">{teasers(3, "li", '<div class="list-item-content__description"><p>Six evenings, all tools included, tea is free.</p></div>')}</ul></div>
<div class="newsletter-block"><div class="newsletter-form-header"><h2>Join our list</h2><p>One letter a month, no more than that.</p></div></div></div></div></div>
<section id="itemPagination" class="item-pagination item-pagination--prev-next"><a href="/prev"><div class="pagination-title-wrapper"><div class="visually-hidden">Previous</div><h2>Throwing a bowl</h2></div></a></section>
<footer class="sections" id="footer-sections"><section><div class="sqs-block-content"><p>Clay and Wire, 12 Mill Lane</p></div></section></footer></div>"""
    )


HELD: dict[str, Skeleton] = {made.__name__: made for made in (drupal, letter, german_theme, blocks_site)}
