"""Page skeletons in the manner of common site generators and themes: real articles wrapped in what the open web puts round them.

The article (title, blocks, images) is known, so what an extractor keeps can be counted: every word and image of a skeleton itself is boilerplate.
Class names are those that the generators are known for; all texts are made up here, nothing is copied from a site. Each skeleton is a function
`Article -> HTML`; SKELETONS are those that the rules were made with, `skeletons_held.HELD` those that were written afterwards and never tuned on.
"""

# ruff: noqa: E501 - mark-up, written as pages have it

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

_IMG = re.compile(r"<img\b([^>]*)>")
_PARAGRAPH_OF_IMAGE = re.compile(r"<p>\s*(<img\b[^>]*>)\s*</p>")


@dataclass(frozen=True)
class Article:
    """title: inner HTML of its first heading; blocks: outer HTML of everything after it; text and images: what a reader wants."""

    title: str
    blocks: tuple[str, ...]
    text: str
    images: tuple[str, ...]

    @property
    def body(self) -> str:
        return "\n".join(self.blocks)

    @property
    def halves(self) -> tuple[str, str]:
        middle = (len(self.blocks) + 1) // 2
        return "\n".join(self.blocks[:middle]), "\n".join(self.blocks[middle:])


Skeleton = Callable[[Article], str]


def article(path: Path) -> Article:
    """The content node of a real page."""
    node = LexborHTMLParser(path.read_text(encoding="utf-8")).css_first("main, article, div.content")
    assert node is not None, path
    title, *blocks = [
        child.html or "" for child in node.iter(include_text=True) if (child.html or "").strip()
    ]
    inner = re.sub(r"^<h\d[^>]*>|</h\d>$", "", title)
    return Article(
        inner,
        tuple(blocks),
        shown(node),
        tuple(image.attributes.get("src") or "" for image in node.css("img")),
    )


def shown(node: LexborNode) -> str:
    """The node's text; one word stays one word."""
    parts = [
        part.text_content or "" if part.tag == "-text" else "" if part.tag in _INLINE else " "
        for part in node.traverse(include_text=True)
    ]
    return "".join(parts)


_INLINE = frozenset(
    ["a", "abbr", "b", "code", "em", "i", "kbd", "s", "small", "span", "strong", "sub", "sup", "u"]
)


def images(text: str, make: Callable[[dict[str, str]], str]) -> str:
    """The text with every <img> written anew from its attributes."""
    return _IMG.sub(lambda found: make(dict(re.findall(r'(\w+)="([^"]*)"', found[1]))), text)


def between(blocks: tuple[str, ...], inserted: str, every: int = 4) -> str:
    """The blocks with something put after every fourth one."""
    parts = [
        f"{block}\n{inserted}" if number % every == every - 1 else block
        for number, block in enumerate(blocks)
    ]
    return "\n".join(parts)


def document(body: str, head: str = "", attributes: str = "") -> str:
    """A whole page."""
    return f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Page | Some site</title>{head}</head>\n<body {attributes}>\n{body}\n</body></html>'


def teasers(number: int, element: str = "li", inner: str = "") -> str:
    """Links to other pages, with thumbnails."""
    titles = [
        "Seven quick dinners for rainy evenings",
        "Our kitchen renovation, part two",
        "The best tools we bought last summer",
        "How we plan a garden in March",
    ]
    return "".join(
        f'<{element} class="item"><a href="/other-{n}/"><img src="https://cdn.example/thumb-{n}.jpg" width="150" height="100" alt="thumb {n}"></a>'
        f'<h4><a href="/other-{n}/">{titles[n % 4]}</a></h4>{inner}</{element}>'
        for n in range(number)
    )


def links(*names: str) -> str:
    return "".join(
        f'<li class="menu-item"><a href="/{name.lower().replace(" ", "-")}/">{name}</a></li>'
        for name in names
    )


COOKIES = """<div id="onetrust-consent-sdk"><div class="onetrust-pc-dark-filter"></div><div id="onetrust-banner-sdk" role="region" aria-label="Cookie banner">
<h2>We value your privacy</h2><p>We and our 214 partners store or access information on a device, such as cookies, and process personal data for
personalised advertising, measurement and audience research. You may change your choices at any time.</p><button>Accept all</button><a href="#">Manage preferences</a></div></div>"""
COMMENTS = "".join(
    f'<li id="comment-{n}" class="comment even depth-1"><article class="comment-body"><footer class="comment-meta"><div class="comment-author vcard">'
    f'<img alt="" src="https://gravatar.example/avatar/{n}?s=60" class="avatar" height="60" width="60"><b class="fn">Reader {n}</b> <span class="says">says:</span></div>'
    f'<time>March {n}, 2021 at 9:{n}0 am</time></footer><div class="comment-content"><p>Thank you so much, this worked very well for my family and we will certainly '
    f"do it again next weekend with friends, number {n}!</p></div><a class='comment-reply-link' href='#'>Reply</a></article></li>"
    for n in range(1, 7)
)


def wordpress_recipe(page: Article) -> str:
    ad = '<div class="code-block code-block-2 ai-viewport" style="margin: 8px auto"><div class="adthrive-ad"><span>Advertisement</span><img src="https://ads.example/banner.gif" width="300" height="250"></div></div>'
    return document(
        f"""<a class="skip-link screen-reader-text" href="#content">Skip to content</a>
<div class="site-container"><header class="site-header"><div class="title-area"><p class="site-title"><a href="/">Butter and Thyme</a></p><p class="site-description">Weeknight food for busy people</p></div></header>
<nav class="nav-primary"><ul id="menu-main" class="menu genesis-nav-menu">{links("Home", "Recipes", "About me", "Shop", "Contact")}</ul></nav>
<div class="site-inner"><div class="content-sidebar-wrap"><div class="content" id="genesis-content"><div class="breadcrumb">Home / Recipes / Dinner</div>
<div class="post-1234 post type-post status-publish format-standard has-post-thumbnail hentry category-dinner tag-quick entry">
<div class="entry-header"><h1 class="entry-title">{page.title}</h1><p class="entry-meta">Last updated on <time>March 3, 2021</time> by <span class="entry-author">Jane Doe</span> This post may contain affiliate links.</p></div>
<div class="entry-content"><div class="wprm-recipe-snippet wprm-jump-to-recipe-container"><a href="#recipe" class="wprm-recipe-jump">Jump to Recipe</a> <a href="/print" class="wprm-recipe-print">Print Recipe</a></div>
{between(page.blocks, ad, 3)}
<div class="sharedaddy sd-sharing-enabled"><div class="robots-nocontent sd-block sd-social"><h3 class="sd-title">Share this:</h3><div class="sd-content"><ul><li class="share-twitter"><a href="#">Click to share on Twitter</a></li><li><a href="#">Pinterest</a></li></ul></div></div></div>
<div id="jp-relatedposts" class="jp-relatedposts"><h3 class="jp-relatedposts-headline"><em>Related</em></h3><div class="jp-relatedposts-items">{teasers(3, "div")}</div></div></div>
<div class="entry-footer"><p class="entry-meta">Filed Under: <span class="entry-categories"><a href="#">Dinner</a>, <a href="#">Quick</a></span> Tagged With: <span class="entry-tags"><a href="#">onions</a></span></p></div></div>
<section class="author-box"><img src="https://gravatar.example/avatar/jane" class="avatar" width="70" height="70"><h4 class="author-box-title">About Jane Doe</h4><div class="author-box-content"><p>Jane is a mother of three, a photographer and the cook behind this blog, where she shares simple food since 2011.</p></div></section>
<div class="after-entry widget-area"><section class="widget enews-widget"><h3>Never miss a recipe</h3><p>Get five free dinner plans straight to your inbox.</p><form><input type="email" placeholder="E-mail"><input type="submit" value="Go"></form></section></div>
<h2 class="screen-reader-text">Reader Interactions</h2><div class="entry-comments" id="comments"><h3>Comments</h3><ol class="comment-list">{COMMENTS}</ol></div>
<div id="respond" class="comment-respond"><h3 id="reply-title">Leave a Reply</h3><form><p>Your email address will not be published.</p><textarea></textarea></form></div></div>
<div class="sidebar sidebar-primary widget-area"><section class="widget widget_text"><h4>Hi, I am Jane</h4><p>Welcome to my little corner of the internet, I am so glad that you stopped by today.</p></section><section class="widget widget_tag_cloud"><div class="tagcloud"><a href="#">bread (12)</a> <a href="#">soup (4)</a></div></section><section class="widget featured-content"><h4>Popular</h4>{teasers(4, "div")}</section></div></div></div>
<div class="site-footer"><div class="wrap"><p>Copyright 2024 Butter and Thyme. All rights reserved. <a href="#">Privacy Policy</a></p></div></div></div>
<div id="popmake-88" class="pum pum-overlay popmake-overlay"><div class="pum-container popmake"><div class="pum-title">Wait! Before you go</div><div class="pum-content"><p>Take our free e-book with twenty desserts.</p></div></div></div>""",
        attributes='class="post-template-default single single-post postid-1234 single-format-standard content-sidebar has-cookie-bar"',
    )


def obfuscated(page: Article) -> str:
    """In the manner of large platforms whose class names are generated."""
    body = images(
        page.body,
        lambda a: (
            f'<figure class="mv mw paragraph-image"><div class="ab ke" role="button" tabindex="0"><picture><source srcset="{a["src"]} 1400w" type="image/webp"><img class="bh fh" alt="{a.get("alt", "")}" src="{a["src"]}" loading="lazy"></picture></div></figure>'
        ),
    )
    card = '<div class="kx ky l"><div class="ab q"><a class="af ag" href="/@w"><img alt="Writer" class="l fa" src="https://cdn.example/avatar.png" width="44" height="44"></a><a class="af" href="/@w">A. Writer</a><span class="bk">·</span><a href="#">Follow</a></div><span class="be b">6 min read · Jun 4, 2022</span></div>'
    clap = '<div class="ab co"><div class="pw-multi-vote"><span class="be b">1.2K</span></div><div><span>14</span></div><div class="bm"><button>Listen</button><span>Share</span></div></div>'
    return document(
        f"""<div id="root"><div class="a b c"><div class="d e f"><div class="ab q"><a href="/">Open in app</a><a href="/signup">Sign up</a><a href="/signin">Sign in</a></div></div>
<div class="l"><div class="g h"><article><div class="l"><div class="l"><section><div class="gq gr gs"><div class="ab ca"><div class="ch bg"><div><h1 class="pw-post-title gt gu">{page.title}</h1></div>{card}{clap}{body}</div></div></div></section></div></div></article></div>
<div class="ro rp"><div class="ab ca"><div class="rq"><a href="/tag/a">Programming</a><a href="/tag/b">Making</a><a href="/tag/c">Learning</a></div>{clap}
<div class="rz"><h2 class="be">Written by A. Writer</h2><span>2.1K Followers</span><p class="be b">Maker, teacher, runner. I write about small things that move and the people who build them.</p></div>
<div class="sk"><h2 class="be">More from A. Writer and Some Publication</h2><div class="sl">{teasers(4, "div", "<p>I spent a whole year trying it every single day and here is what happened to me.</p>")}</div></div>
<div class="sk"><h2 class="be">Recommended from our readers</h2><div class="sl">{teasers(4, "div", "<p>Nobody talks about this part of the job, although everybody has to do it.</p>")}</div></div></div></div></div></div>
<div class="tp"><a href="/help">Help</a><a href="/status">Status</a><a href="/about">About</a><a href="/careers">Careers</a></div></div>
<script>window.__APOLLO_STATE__={json.dumps({"Post": {"title": "x", "body": page.text[:400]}})}</script>"""
    )


def mediawiki(page: Article) -> str:
    def thumb(a: dict[str, str]) -> str:
        return f'<figure class="mw-default-size" typeof="mw:File/Thumb"><a href="/wiki/File:X" class="mw-file-description"><img alt="{a.get("alt", "")}" src="{a["src"]}" decoding="async" class="mw-file-element"></a><figcaption></figcaption></figure>'

    edit = '<span class="mw-editsection"><span class="mw-editsection-bracket">[</span><a href="/edit">edit</a><span class="mw-editsection-bracket">]</span></span>'
    body = re.sub(
        r"<h2>(.*?)</h2>",
        rf'<div class="mw-heading mw-heading2"><h2>\1</h2>{edit}</div>',
        images(page.body, thumb),
    )
    return document(
        f"""<a class="mw-jump-link" href="#bodyContent">Jump to content</a><div class="vector-header-container"><header class="vector-header mw-header"><div class="vector-header-start"><nav aria-label="Site"><ul>{links("Main page", "Contents", "Random article")}</ul></nav></div></header></div>
<div class="mw-page-container"><div class="mw-page-container-inner"><div class="vector-sitenotice-container"><div id="siteNotice"><p>Please vote in the board elections until Friday.</p></div></div>
<div class="mw-content-container"><main id="content" class="mw-body"><header class="mw-body-header vector-page-titlebar"><nav aria-label="Contents" class="vector-toc-landmark"></nav><h1 id="firstHeading" class="firstHeading mw-first-heading"><span class="mw-page-title-main">{page.title}</span></h1>
<div id="p-lang-btn" class="vector-dropdown mw-portlet mw-portlet-lang"><label>12 languages</label><ul>{links("Deutsch", "Español", "Suomi")}</ul></div></header>
<div class="vector-page-toolbar"><div class="vector-page-toolbar-container"><nav><ul>{links("Article", "Talk")}</ul></nav></div></div>
<div id="bodyContent" class="vector-body"><div id="siteSub" class="noprint">From the free encyclopedia</div><div id="contentSub"><div id="mw-content-subtitle"></div></div>
<div id="mw-content-text" class="mw-body-content"><div class="mw-content-ltr mw-parser-output" lang="en" dir="ltr">
<div role="note" class="hatnote navigation-not-searchable">For other uses, see <a href="#">Disambiguation</a>.</div>
<table class="box-More_citations metadata plainlinks ambox"><tbody><tr><td class="mbox-text">This article needs additional citations for verification.</td></tr></tbody></table>
<div id="toc" class="toc" role="navigation"><input type="checkbox"><div class="toctitle"><h2>Contents</h2></div><ul><li class="toclevel-1"><a href="#a"><span class="tocnumber">1</span> <span class="toctext">History of the subject</span></a></li></ul></div>
{body}
<div class="reflist reflist-columns references-column-width"><ol class="references"><li id="cite_note-1"><span class="mw-cite-backlink">^</span> <span class="reference-text"><cite class="citation journal">Smith, Walter (1999). "On small machines". Journal of Things. 12 (3): 45.</cite></span></li></ol></div>
<div class="navbox-styles"></div><div role="navigation" class="navbox"><table class="nowraplinks mw-collapsible navbox-inner"><tbody><tr><th scope="col" class="navbox-title">Small machines</th></tr><tr><td class="navbox-list"><ul><li><a href="#">Lever</a></li><li><a href="#">Pulley</a></li></ul></td></tr></tbody></table></div>
</div><div class="printfooter" data-nosnippet="">Retrieved from "https://wiki.example/w/index.php?oldid=1"</div></div>
<div id="catlinks" class="catlinks"><div class="mw-normal-catlinks"><a href="#">Categories</a>: <ul><li><a href="#">Machines</a></li><li><a href="#">Tools</a></li></ul></div><div class="mw-hidden-catlinks mw-hidden-cats-hidden">Hidden categories: <ul><li><a href="#">Articles needing additional references</a></li></ul></div></div></div></main></div>
<div class="mw-footer-container"><footer id="footer" class="mw-footer"><ul><li>This page was last edited on 3 May 2023</li></ul></footer></div></div></div>""",
        attributes='class="skin--responsive skin-vector mediawiki ltr sitedir-ltr ns-0 page-X"',
    )


def docusaurus(page: Article) -> str:
    anchored = re.sub(
        r"<(h[2-4])>(.*?)</\1>",
        r'<\1 class="anchor anchorWithStickyNavbar_x1" id="s">\2<a href="#s" class="hash-link" aria-label="Direct link" title="Direct link">&#8203;</a></\1>',
        page.body,
    )
    code = re.sub(
        r"<pre[^>]*>(.*?)</pre>",
        r'<div class="language-js codeBlockContainer_y2 theme-code-block"><div class="codeBlockContent_z3"><pre tabindex="0" class="prism-code language-js codeBlock_q4 thin-scrollbar">\1</pre><div class="buttonGroup__r5"><button type="button" aria-label="Copy code">Copy</button></div></div></div>',
        anchored,
        flags=re.DOTALL,
    )
    side = "".join(
        f'<li class="theme-doc-sidebar-item-link menu__list-item"><a class="menu__link" href="/docs/{n}">Guide number {n} of the handbook</a></li>'
        for n in range(40)
    )
    return document(
        f"""<div role="region" aria-label="Skip to main content"><a class="skipToContent_s1" href="#main">Skip to main content</a></div><div id="__docusaurus"><div class="announcementBar_t2" role="banner"><div>If you like this project, give it a star and follow us!</div></div>
<nav aria-label="Main" class="navbar navbar--fixed-top"><div class="navbar__inner"><a class="navbar__brand" href="/"><img src="/img/logo.svg" alt="Logo"><b>Toolkit</b></a><a class="navbar__item" href="/docs">Docs</a></div></nav>
<div id="__docusaurus_skipToContent_fallback" class="main-wrapper mainWrapper_u3"><div class="docsWrapper_v4"><div class="docRoot_w5"><aside class="theme-doc-sidebar-container docSidebarContainer_x6"><ul class="theme-doc-sidebar-menu menu__list">{side}</ul></aside>
<main class="docMainContainer_y7"><div class="container padding-top--md padding-bottom--lg"><div class="row"><div class="col docItemCol_z8"><div class="docItemContainer_a9"><article><nav class="theme-doc-breadcrumbs" aria-label="Breadcrumbs"><ul class="breadcrumbs"><li><span class="breadcrumbs__link">Guides</span></li></ul></nav><span class="theme-doc-version-badge badge badge--secondary">Version: 3.x</span>
<div class="tocCollapsible_b1 theme-doc-toc-mobile"><button type="button">On this page</button></div><div class="theme-doc-markdown markdown"><header><h1>{page.title}</h1></header>{code}</div>
<footer class="theme-doc-footer docusaurus-mt-lg"><a href="/edit" class="theme-edit-this-page">Edit this page</a><div class="theme-last-updated">Last updated on Jan 3, 2024</div></footer></article><nav class="pagination-nav" aria-label="Docs pages"><a class="pagination-nav__link" href="/p"><div class="pagination-nav__sublabel">Previous</div><div>Installation</div></a></nav></div></div>
<div class="col col--3"><div class="tableOfContents_c2 thin-scrollbar theme-doc-toc-desktop"><ul class="table-of-contents table-of-contents__left-border"><li><a href="#s" class="table-of-contents__link">The first section of the page</a></li><li><a href="#s">The second section of it</a></li></ul></div></div></div></div></main></div></div></div>
<footer class="theme-layout-footer footer footer--dark"><div class="footer__title">Community</div><div class="footer__copyright">Built with love in Berlin.</div></footer></div>"""
    )


def sphinx(page: Article) -> str:
    body = re.sub(
        r"<(h[2-4])>(.*?)</\1>",
        r'<section id="s"><\1>\2<a class="headerlink" href="#s" title="Link to this heading"></a></\1></section>',
        page.body,
    )
    code = re.sub(
        r"<pre[^>]*>(.*?)</pre>",
        r'<div class="highlight-python notranslate"><div class="highlight"><pre><span></span>\1</pre></div></div>',
        body,
        flags=re.DOTALL,
    )
    tree = "".join(
        f'<li class="toctree-l1"><a class="reference internal" href="p{n}.html">Chapter {n} about the library</a></li>'
        for n in range(25)
    )
    return document(
        f"""<div class="wy-grid-for-nav"><nav data-toggle="wy-nav-shift" class="wy-nav-side"><div class="wy-side-scroll"><div class="wy-side-nav-search"><a href="index.html" class="icon icon-home">project</a><div class="version">2.1</div></div><div class="wy-menu wy-menu-vertical" role="navigation"><p class="caption" role="heading"><span class="caption-text">Contents:</span></p><ul class="current">{tree}</ul></div></div></nav>
<section data-toggle="wy-nav-shift" class="wy-nav-content-wrap"><nav class="wy-nav-top" aria-label="Mobile navigation menu"><i data-toggle="wy-nav-top" class="fa fa-bars"></i><a href="index.html">project</a></nav>
<div class="wy-nav-content"><div class="rst-content"><div role="navigation" aria-label="Page navigation"><ul class="wy-breadcrumbs"><li><a href="index.html" class="icon icon-home" aria-label="Home"></a></li><li class="breadcrumb-item active">{page.title}</li><li class="wy-breadcrumbs-aside"><a href="_sources/x.rst.txt" rel="nofollow"> View page source</a></li></ul><hr></div>
<div role="main" class="document" itemscope="itemscope"><div itemprop="articleBody"><section id="t"><h1>{page.title}<a class="headerlink" href="#t" title="Link to this heading"></a></h1>{code}</section></div></div>
<footer><div class="rst-footer-buttons" role="navigation" aria-label="Footer"><a href="a.html" class="btn btn-neutral float-left" rel="prev">Previous</a><a href="b.html" class="btn btn-neutral float-right" rel="next">Next</a></div><div role="contentinfo"><p>Copyright 2024, The authors.</p></div>Built with a theme provided by somebody.</footer></div></div></section></div>
<div class="rst-versions" data-toggle="rst-versions" role="note"><span class="rst-current-version">v: latest</span><div class="rst-other-versions"><dl><dt>Versions</dt><dd><a href="/en/stable/">stable</a></dd></dl></div></div>""",
        attributes='class="wy-body-for-nav"',
    )


def mkdocs(page: Article) -> str:
    body = re.sub(
        r"<(h[2-4])>(.*?)</\1>",
        r'<\1 id="s">\2<a class="headerlink" href="#s" title="Permanent link">&para;</a></\1>',
        page.body,
    )
    return document(
        f"""<input class="md-toggle" data-md-toggle="drawer" type="checkbox" id="__drawer"><label class="md-overlay" for="__drawer"></label><div data-md-component="skip"><a href="#s" class="md-skip">Skip to content</a></div><div data-md-component="announce"></div>
<header class="md-header md-header--shadow" data-md-component="header"><nav class="md-header__inner md-grid" aria-label="Header"><div class="md-header__title"><span class="md-ellipsis">Handbook</span></div></nav></header>
<div class="md-container" data-md-component="container"><main class="md-main" data-md-component="main"><div class="md-main__inner md-grid">
<div class="md-sidebar md-sidebar--primary" data-md-type="navigation"><div class="md-sidebar__scrollwrap"><nav class="md-nav md-nav--primary"><ul class="md-nav__list">{links(*[f"Topic {n}" for n in range(20)])}</ul></nav></div></div>
<div class="md-sidebar md-sidebar--secondary" data-md-type="toc"><div class="md-sidebar__inner"><nav class="md-nav md-nav--secondary" aria-label="Table of contents"><label class="md-nav__title">Table of contents</label></nav></div></div>
<div class="md-content" data-md-component="content"><article class="md-content__inner md-typeset"><a href="https://git.example/edit" title="Edit this page" class="md-content__button md-icon"><svg viewBox="0 0 24 24"><path d="M1"/></svg></a><h1 id="t">{page.title}<a class="headerlink" href="#t" title="Permanent link">&para;</a></h1>
{body}<aside class="md-source-file"><span class="md-source-file__fact">January 4, 2024</span></aside><form class="md-feedback" name="feedback"><fieldset><legend class="md-feedback__title">Was this page helpful?</legend></fieldset></form></article></div></div></main>
<footer class="md-footer"><nav class="md-footer__inner"><a href="../x/" class="md-footer__link md-footer__link--prev"><div class="md-footer__title"><span class="md-footer__direction">Previous</span><div class="md-ellipsis">Setup</div></div></a></nav><div class="md-footer-meta"><div class="md-copyright">Made with care</div></div></footer></div>"""
    )


def news(page: Article) -> str:
    also = f'<div class="read-more-inline"><span class="label">Read also</span>{teasers(1, "div")}</div>'
    video = '<div class="video-player jw-player" data-id="9"><div class="vjs-poster" style="background-image:url(https://cdn.example/poster.jpg)"></div><p class="vjs-no-js">To view this video please enable JavaScript.</p><span class="video-caption">Watch: the minister answers questions</span></div>'
    first, *rest = page.blocks or ("",)
    return document(
        f"""{COOKIES}<div class="leaderboard-ad" id="div-gpt-ad-1"><img src="https://ads.example/728.gif"></div><div class="masthead"><a href="/">The Daily Post</a><div class="weather">14 degrees, light rain</div></div>
<div class="ticker breaking-news"><b>Breaking</b> <a href="#">Storm reaches the coast tonight, thousands without power</a></div><div class="mainnav"><ul>{links("World", "Politics", "Sport", "Opinion", "Culture")}</ul></div>
<div class="page"><div class="grid"><div class="col-8 story" itemscope itemtype="http://schema.org/NewsArticle"><div class="kicker"><a href="/tech">Technology</a></div><h1 itemprop="headline">{page.title}</h1>
<div class="byline"><span class="author">By Martin Example</span>, <span class="desk">Science desk</span></div><div class="timestamp">Published 4 May 2023, 10:14 CET. Updated 11:02</div><div class="social-bar"><a href="#">Facebook</a><a href="#">WhatsApp</a></div>
<div class="story-body" itemprop="articleBody">{first}{video}{between(tuple(rest), also, 3)}<div class="paywall-teaser subscribe-box"><h3>Support independent journalism</h3><p>For only one euro a week you can read everything we publish, on all your devices.</p></div></div>
<div class="article-tags"><span>Topics:</span> <a href="#">Technology</a> <a href="#">Schools</a></div><div class="more-stories"><h3>More on this story</h3><ul>{teasers(4)}</ul></div></div>
<div class="col-4 rail"><div class="most-read"><h3>Most read</h3><ol>{teasers(5, "li", "<p>The report that shook the whole industry last week.</p>")}</ol></div><div class="promo-box"><h3>Our podcast</h3><p>Every Thursday two editors talk about what moved us.</p></div></div></div></div>
<div class="trc_rbox_container"><div class="trc_rbox_header">Around the web</div>{teasers(6, "div", "<span>Sponsored by HealthyLife</span>")}</div>
<div class="footer-links"><ul>{links("Imprint", "Terms", "Privacy")}</ul><p>The Daily Post is not responsible for the content of external sites.</p></div>"""
    )


def questions(page: Article) -> str:
    """In the manner of question-and-answer sites: the question is the first half of the article, the answer its second."""
    ask, reply = page.halves

    def post(kind: str, text: str) -> str:
        return f"""<div class="{kind}" data-id="1"><div class="post-layout"><div class="votecell post-layout--left"><div class="js-voting-container"><button aria-label="Up vote">▲</button><div class="js-vote-count" itemprop="upvoteCount">42</div></div></div>
<div class="{kind}cell post-layout--right"><div class="s-prose js-post-body" itemprop="text">{text}</div><div class="mt24"><div class="js-post-menu"><a href="/q/1">Share</a><a href="/edit">Improve this answer</a><button>Follow</button></div><div class="post-signature"><div class="user-info"><div class="user-action-time">answered May 3, 2016 at 10:11</div><div class="user-gravatar32"><img src="https://gravatar.example/u.png" width="32" height="32" alt="user avatar"></div><div class="user-details"><a href="/u">someuser</a><span class="reputation-score">12.3k</span></div></div></div></div></div>
<div class="post-layout--right js-post-comments-component"><div class="comments js-comments-container"><ul class="comments-list"><li class="comment js-comment"><span class="comment-copy">Did you try turning it off and on again before measuring?</span> <a class="comment-user" href="#">bob</a></li></ul></div></div></div></div>"""

    return document(
        f"""<header class="s-topbar"><div class="s-topbar--container"><a href="/">Makers Exchange</a><form role="search"><input></form></div></header>
<div class="container"><div id="left-sidebar" class="left-sidebar"><nav><ol class="nav-links">{links("Questions", "Tags", "Users")}</ol></nav></div><div id="content"><div itemprop="mainEntity" itemscope itemtype="https://schema.org/Question"><div class="inner-content clearfix">
<div id="question-header" class="d-flex"><h1 itemprop="name"><a href="/questions/1" class="question-hyperlink">{page.title}</a></h1><div class="ml12 aside-cta"><a href="/ask" class="s-btn">Ask Question</a></div></div><div class="d-flex fw-wrap"><div class="flex--item">Asked 7 years ago</div><div class="flex--item">Viewed 14k times</div></div>
<div id="mainbar" role="main" aria-label="question and answers">{post("question", ask)}<div id="answers"><div id="answers-header"><div class="answers-subheader"><h2 class="mb0" data-answercount="1">1 Answer</h2></div></div>{post("answer", reply)}
<form id="post-form" class="post-form"><h2>Your Answer</h2><p>Thanks for contributing an answer!</p></form></div></div>
<div id="sidebar" class="show-votes" role="complementary"><div class="module sidebar-related"><h4>Related</h4><a href="/q/3">How do I solder two thin wires together</a></div><div id="hot-network-questions"><h4>Hot Network Questions</h4><ul><li><a href="/q/9">Why did the ship turn north</a></li></ul></div></div></div></div></div></div>
<footer id="footer" class="site-footer"><p>Site design by a company; user contributions licensed</p></footer>""",
        attributes='class="question-page unified-theme"',
    )


def shop(page: Article) -> str:
    return document(
        f"""<div class="announcement-bar">Free shipping on orders over 50 EUR</div><div id="shopify-section-header"><div class="site-header"><a href="/">Parts and Kits</a><ul class="site-nav">{links("Boards", "Sensors", "Sale")}</ul><a href="/cart" class="cart-link">Cart (0)</a></div></div>
<div id="PageContainer"><div class="breadcrumbs"><a href="/">Home</a> / <a href="/boards">Boards</a></div>
<div class="product-single" itemscope itemtype="http://schema.org/Product"><div class="grid"><div class="grid__item product-single__meta"><h1 class="product-single__title" itemprop="name">{page.title}</h1><div class="price-container"><span class="price">39,95 EUR</span> <span class="tax-note">incl. VAT plus shipping</span></div><div class="stock in-stock">In stock, 23 pieces</div>
<form action="/cart/add" class="product-form"><label>Quantity</label><input type="number" value="1"><button>Add to cart</button></form><div class="rating-summary">4.6 out of 5 stars from 87 reviews</div></div></div>
<div class="tabs"><ul class="tab-links"><li><a href="#d">Description</a></li><li><a href="#r">Reviews</a></li></ul><div class="tab-content product-single__description rte" itemprop="description" id="d">{page.body}</div></div></div>
<div id="product-reviews" class="spr-container"><h2>Customer Reviews</h2><div class="spr-review"><div class="spr-review-header">Verified buyer, Anna K.</div><p>Arrived fast and well packed, does exactly what I had hoped for, I would order again.</p></div><div class="spr-review"><p>My son loves it, although the cable could be somewhat longer than it is.</p></div></div>
<div class="product-recommendations"><h2>Customers also bought</h2>{teasers(4, "div", '<span class="price">12,95 EUR</span><button>Add</button>')}</div><div class="recently-viewed"><h2>Recently viewed</h2>{teasers(2, "div")}</div></div>
<div class="newsletter-section"><h3>10% off your first order</h3></div><div id="footer"><p>Parts and Kits Ltd, Harbour Street 4</p></div>"""
    )


def blogger(page: Article) -> str:
    caption = "<em>"

    def centred(found: re.Match[str]) -> str:
        return f'<div class="separator" style="clear: both; text-align: center;"><a href="https://blog.example/s1600/x.jpg" style="margin-left: 1em;">{found[1]}</a></div>'

    def captioned(found: re.Match[str]) -> str:
        return f'<table align="center" cellpadding="0" cellspacing="0" class="tr-caption-container" style="margin-left: auto;"><tbody><tr><td style="text-align: center;"><a href="https://blog.example/s1600/x.jpg">{found[1]}</a></td></tr><tr><td class="tr-caption" style="text-align: center;">{found[2]}</td></tr></tbody></table>'

    body = re.sub(rf"<p>\s*(<img\b[^>]*>)\s*</p>\s*<p>{caption}(.*?)</em></p>", captioned, page.body)
    body = _PARAGRAPH_OF_IMAGE.sub(centred, body)
    body = re.sub(r"<p>(.*?)</p>", r"<div>\1</div><div><br /></div>", body, flags=re.DOTALL)
    return document(
        f"""<div class="navbar section" id="navbar"><div class="widget Navbar" data-version="1"></div></div><div class="body-fauxcolumns"></div><div class="content"><div class="content-outer"><div class="content-inner">
<div class="header-outer"><div class="header section" id="header"><div class="widget Header"><div class="titlewrapper"><h1 class="title"><a href="/">Notes from the workshop</a></h1></div><div class="descriptionwrapper"><p class="description"><span>Things I make on Sundays</span></p></div></div></div></div>
<div class="main-outer"><div class="columns-inner"><div class="column-center-outer"><div class="main section" id="main"><div class="widget Blog" data-version="1" id="Blog1"><div class="blog-posts hfeed"><div class="date-outer"><h2 class="date-header"><span>Sunday, May 12, 2013</span></h2><div class="date-posts"><div class="post-outer">
<div class="post hentry uncustomized-post-template" itemprop="blogPost"><h3 class="post-title entry-title" itemprop="name">{page.title}</h3><div class="post-header"><div class="post-header-line-1"></div></div>
<div class="post-body entry-content" id="post-body-1" itemprop="description articleBody">{body}<div style="clear: both;"></div></div>
<div class="post-footer"><div class="post-footer-line post-footer-line-1"><span class="post-author vcard">Posted by <span class="fn">Old Tinkerer</span></span> <span class="post-timestamp">at <abbr class="published">9:14 PM</abbr></span> <span class="post-icons"></span><div class="post-share-buttons goog-inline-block"><a class="goog-inline-block share-button sb-email" href="#"><span class="share-button-link-text">Email This</span></a></div></div><div class="post-footer-line post-footer-line-2"><span class="post-labels">Labels: <a href="#">tools</a>, <a href="#">wood</a></span></div></div></div>
<div class="comments" id="comments"><h4>2 comments:</h4><div id="comment-holder"><p class="comment-content">Great work, greetings from Ohio, where we do it in the same way.</p></div></div></div></div></div></div><div class="blog-pager" id="blog-pager"><a class="blog-pager-newer-link" href="#">Newer Post</a><a href="#">Older Post</a></div><div class="post-feeds"><div class="feed-links">Subscribe to: <a href="#">Post Comments (Atom)</a></div></div></div></div></div>
<div class="column-right-outer"><div class="sidebar section" id="sidebar-right-1"><div class="widget Profile"><h2>About Me</h2><p>I am a retired engineer who cannot sit still on a Sunday.</p></div><div class="widget BlogArchive"><h2>Blog Archive</h2><ul><li><a href="#">2013 (14)</a></li><li><a href="#">2012 (31)</a></li></ul></div></div></div></div></div>
<div class="footer-outer"><div class="foot section"><div class="widget Attribution">Simple theme. Powered by a blog service.</div></div></div></div></div></div>""",
        attributes='class="loading"',
    )


def layout_table(page: Article) -> str:
    """A page of the nineties: no class, no semantic tag, tables inside tables."""
    body = re.sub(
        r"<h[1-4]>(.*?)</h[1-4]>", r'<p><font size="+1" color="#003366"><b>\1</b></font></p>', page.body
    )
    menu = "".join(
        f'<tr><td bgcolor="#ddddee"><font size="2"><a href="p{n}.htm">Chapter {n}</a></font></td></tr>'
        for n in range(12)
    )
    return document(
        f"""<table width="100%" border="0" cellpadding="4"><tr><td bgcolor="#003366" colspan="2"><img src="gfx/banner.gif" width="468" height="60" alt="banner"><font color="white" size="5">Welcome to the Hobby Pages</font></td></tr>
<tr><td colspan="2" align="center"><font size="2">[ <a href="index.htm">Home</a> | <a href="news.htm">News</a> | <a href="guest.htm">Guestbook</a> | <a href="links.htm">Links</a> ]</font></td></tr>
<tr><td width="150" valign="top"><table border="0" width="150">{menu}</table><img src="gfx/counter.gif" width="88" height="31"></td>
<td valign="top"><table border="0" width="600"><tr><td><center><font size="+2"><b>{page.title}</b></font></center><hr>{body}</td></tr></table></td></tr>
<tr><td colspan="2" align="center"><hr><font size="1">Best viewed with 800x600. You are visitor number 12345. <a href="mailto:me@x.example">Mail me</a></font></td></tr></table>""",
        attributes='bgcolor="#FFFFFF" text="#000000"',
    )


def app_shell(page: Article) -> str:
    state = json.dumps({"props": {"pageProps": {"html": page.body, "title": page.title}}}).replace(
        "</", "<\\/"
    )
    return document(
        f"""<div id="app"></div><script id="__NEXT_DATA__" type="application/json">{state}</script><script src="/static/main.js"></script>
<noscript><p class="noscript-warning"></p><h1>{page.title}</h1>{page.body}</noscript>"""
    )


def amp(page: Article) -> str:
    body = images(
        page.body,
        lambda a: (
            f'<amp-img src="{a["src"]}" alt="{a.get("alt", "")}" width="800" height="450" layout="responsive"><noscript><img src="{a["src"]}" alt="{a.get("alt", "")}"></noscript></amp-img>'
        ),
    )
    ad = '<amp-ad width="300" height="250" type="doubleclick" data-slot="/1/2"><div placeholder>Loading advertisement</div></amp-ad>'
    return document(
        f"""<header id="top" class="amp-wp-header"><div><a href="/">Site</a></div></header><amp-sidebar id="sb" layout="nodisplay"><ul>{links("Home", "News")}</ul></amp-sidebar><article class="amp-wp-article"><header class="amp-wp-article-header"><h1 class="amp-wp-title">{page.title}</h1><div class="amp-wp-meta amp-wp-byline"><amp-img src="https://cdn.example/author.jpg" width="24" height="24"></amp-img><span class="amp-wp-author">editor</span></div><div class="amp-wp-meta amp-wp-posted-on"><time>4 years ago</time></div></header>
<div class="amp-wp-article-content">{body}{ad}</div><footer class="amp-wp-article-footer"><div class="amp-wp-meta amp-wp-tax-category">Categories: <a href="#">Things</a></div></footer></article><amp-consent id="c"><div id="consent-ui"><p>May we use your data to show you better advertisements?</p><button>Yes</button></div></amp-consent><footer class="amp-wp-footer"><div><p>All rights reserved</p><a href="#top" class="back-to-top">Back to top</a></div></footer>""",
        head="<style amp-boilerplate>body{visibility:hidden}</style>",
    )


def lazy(page: Article) -> str:
    """Every lazy loader in turn, image by image."""
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    count = iter(range(10_000))

    def made(a: dict[str, str]) -> str:
        src, alt = a["src"], a.get("alt", "")
        twin = f'<noscript><img src="{src}" alt="{alt}"></noscript>'
        ways = [
            f'<img class="lazyload" src="{pixel}" data-src="{src}" alt="{alt}" loading="lazy">{twin}',
            f'<img src="/static/blank.gif" data-lazy-src="{src}" alt="{alt}" width="600" height="400">{twin}',
            f'<img src="/img/1x1.trans.gif" data-original="{src}" alt="{alt}">',
            f'<img src="{pixel}" data-srcset="{src} 1200w" data-sizes="auto" alt="{alt}">{twin}',
            f'{twin}<img class="lazyload" src="{pixel}" data-src="{src}" alt="{alt}">',
            f'<span class="lazy-wrapper"><img src="{pixel}" alt="{alt}" class="placeholder">{twin}</span>',
            f'<div class="progressiveMedia"><img src="{pixel}" class="progressiveMedia-thumbnail" alt=""><img class="progressiveMedia-image" data-src="{src}" alt="{alt}"></div>',
            f'<div class="lazy-image" data-bg="{src}" style="background-image:url(\'{src}\')" role="img" aria-label="{alt}"></div>',
            f'<picture><source data-srcset="{src} 2x" type="image/webp"><img src="{pixel}" data-src="{src}" alt="{alt}"></picture>{twin}',
            f'<img data-lazy="{src}" alt="{alt}"><noscript>&lt;img src="{src}" alt="{alt}"&gt;</noscript>',
        ]
        return ways[next(count) % len(ways)]

    return document(
        f"""<div class="site"><div class="site-branding"><img src="{pixel}" data-src="/logo.png" class="custom-logo" alt="Logo"><p>Travel and make</p></div><div id="primary" class="content-area"><h1>{page.title}</h1><div class="post-content">{images(page.body, made)}</div>
<img height="1" width="1" style="display:none" src="https://px.example/tr?id=1"><div class="related-posts"><h3>You might like</h3>{teasers(3, "div")}</div></div></div><noscript><img height="1" width="1" style="display:none" src="https://px.example/tr?id=2&noscript=1"></noscript>"""
    )


def step_page(page: Article) -> str:
    """Each section a step with its own box; the site's chrome is between the steps."""
    groups: list[list[str]] = [[]]
    for block in page.blocks:
        if re.match(r"<h[2-4]", block) and groups[-1]:
            groups.append([])
        groups[-1].append(block)
    steps = "\n".join(
        f'<section id="step{n}" class="step" data-step-id="{n}"><div class="step-header"><div class="tip-button"><button>Add Tip</button><a href="#ask">Ask Question</a><a href="#dl">Download</a></div></div><div class="step-body">{chr(10).join(group)}</div></section>'
        + ('<div class="ad-wrapper"><div class="promo">Advertisement</div></div>' if n % 2 else "")
        for n, group in enumerate(groups)
    )
    return document(
        f"""<div id="site-header" class="header-nav"><ul class="nav-links">{links("Projects", "Contests", "Teachers")}</ul></div><div class="main-content"><div class="article-header"><div class="category-section"><a class="category" href="/c">Circuits</a></div><h1 class="header-title">{page.title}</h1><div class="sub-header"><div class="header-byline">By <a class="member-header-display-name" href="/m">makerperson</a></div><div class="header-stats"><p>18,204 views</p><p>77 favorites</p></div></div>
<div class="actions"><button>Download</button><button>Favorite</button></div></div><div class="author-promo"><div class="avatar"><img src="https://cdn.example/me.jpg" alt="makerperson"></div><p class="author-description">I like to build things that beep and then tell everybody about them.</p><a href="#">More by the author</a></div>
<article class="article-body">{steps}</article><div class="be-first"><h3>Be the First to Share</h3><p>Did you make this project? Share it with us!</p></div><div class="recommendations-widget"><h2>Recommendations</h2><ul>{teasers(4, "li", '<div class="stats">137 28K</div>')}</ul></div><div class="discussions"><h2>14 Comments</h2><div class="post-body">Very well explained, thank you, I will try it at school with my class.</div></div></div>
<div id="footer-bottom"><h3>Categories</h3><ul>{links("Workshop", "Craft", "Cooking")}</ul></div>"""
    )


def overlays(page: Article) -> str:
    """Hidden things everywhere: consent walls, skip links, text for printers and screen readers, closed modals."""
    sr = '<span style="position:absolute;left:-9999px">Opens in a new window</span>'
    return document(
        f"""<div class="cc-window cc-banner cc-type-info" role="dialog" aria-live="polite"><span id="cookieconsent:desc" class="cc-message">This website uses cookies to ensure you get the best experience. <a class="cc-link" href="#">Learn more</a></span></div>
<div class="qc-cmp2-container"><div class="qc-cmp2-summary"><h2>Your choices</h2><p>With your permission we and our partners may use precise geolocation data and identification through device scanning.</p></div></div><div id="gdpr-banner"><p>We also keep logs of what you do here for thirty days.</p></div>
<ul class="skiplinks"><li><a href="#c">Skip to main content</a></li><li><a href="#f">Skip to footer</a></li></ul><div class="print-only">Printed from example site on 3 May 2021, page address https://x.example/p</div><div class="d-none d-print-block">This is the printed edition of the page.</div>
<div class="modal fade" id="loginModal" tabindex="-1" aria-hidden="true"><div class="modal-dialog"><p>Please log in to your account to continue reading.</p></div></div><div hidden><p>Preloaded text that nobody ever sees on this page.</p></div><p style="visibility: hidden; height:0">Invisible bait text for robots.</p><div class="visuallyhidden">Text for screen readers only.</div>
<div id="wrapper"><div id="content-wrap"><div class="post-content-area"><h1>{page.title}</h1><div class="reading-time">5 minutes reading time</div>{between(page.blocks, sr, 5)}<div class="addtoany_share_save_container"><div class="addtoany_header">Spread the word</div><a class="a2a_button_x" href="#">X</a></div><div class="post-tags"><a href="#">one</a> <a href="#">two</a></div>
<div class="nav-links"><div class="nav-previous"><a href="#">An older article about something else</a></div><div class="nav-next"><a href="#">A newer one</a></div></div></div></div></div>
<div class="newsletter-popup" style="display: none"><h3>Stay in touch</h3></div><div class="toast" aria-live="assertive">Copied to clipboard</div><div class="back-to-top"><a href="#">Back to top</a></div>""",
        attributes='class="cookie-notice-visible modal-open"',
    )


def builder(page: Article) -> str:
    """In the manner of visual page builders: a widget a block, no name for the article, generated ids."""

    def widget(kind: str, inner: str) -> str:
        return f'<div class="elementor-element elementor-element-3f{len(inner) % 97:02x} elementor-widget elementor-widget-{kind}" data-element_type="widget"><div class="elementor-widget-container">{inner}</div></div>'

    body = "".join(
        widget(
            "heading"
            if block.startswith("<h")
            else "image"
            if block.startswith("<p><img")
            else "text-editor",
            block,
        )
        for block in page.blocks
    )

    def section(inner: str) -> str:
        return f'<section class="elementor-section elementor-top-section"><div class="elementor-container elementor-column-gap-default"><div class="elementor-column elementor-col-100"><div class="elementor-widget-wrap elementor-element-populated">{inner}</div></div></div></section>'

    return document(
        f"""<div data-elementor-type="header" class="elementor elementor-12 elementor-location-header">{section(widget("theme-site-logo", '<a href="/"><img width="300" height="90" src="https://x.example/logo.png"></a>') + widget("nav-menu", f'<nav class="elementor-nav-menu--main"><ul>{links("Start", "Blog")}</ul></nav><div class="elementor-menu-toggle">Menu</div>'))}</div>
<div data-elementor-type="single-post" class="elementor elementor-45 elementor-location-single post-45 post type-post">
{section(widget("theme-post-title", f'<h1 class="elementor-heading-title elementor-size-default">{page.title}</h1>') + widget("post-info", '<ul class="elementor-inline-items elementor-icon-list-items elementor-post-info"><li><span class="elementor-icon-list-text">Marta</span></li><li><time>May 5, 2022</time></li><li>No Comments</li></ul>'))}
{section(widget("theme-post-content", body))}
{section(widget("share-buttons", '<div class="elementor-grid"><div class="elementor-grid-item"><div class="elementor-share-btn"><span class="elementor-share-btn__title">Facebook</span></div></div></div>') + widget("author-box", '<div class="elementor-author-box"><img src="https://gravatar.example/m.png" class="avatar-big"><div class="elementor-author-box__text"><h4 class="elementor-author-box__name">Marta</h4><div class="elementor-author-box__bio"><p>Marta builds sites for small companies.</p></div></div></div>') + widget("post-navigation", '<div class="elementor-post-navigation"><a href="/a"><span class="post-navigation__prev--label">Previous</span><span>Older thing</span></a></div>'))}
{section(widget("heading", "<h3>You may be interested in</h3>") + widget("posts", f'<div class="elementor-posts-container elementor-posts elementor-grid">{teasers(3, "article", "<div class=elementor-post__excerpt><p>A short excerpt of the post that goes on and on.</p></div>")}</div>'))}
{section(widget("form", "<form><input></form>") + widget("call-to-action", '<div class="elementor-cta__content"><h2>Ready to start?</h2><div>Book your free call with our team today.</div><a class="elementor-button" href="/call">Book now</a></div>'))}</div>
<div data-elementor-type="footer" class="elementor elementor-13 elementor-location-footer">{section(widget("text-editor", "<p>All rights reserved by Studio Marta, Gdansk.</p>"))}</div><div data-elementor-type="popup" class="elementor-location-popup" style="display:none"><p>Hello again!</p></div>"""
    )


SKELETONS: dict[str, Skeleton] = {
    made.__name__: made
    for made in (
        wordpress_recipe, obfuscated, mediawiki, docusaurus, sphinx, mkdocs, news, questions, shop, blogger, layout_table, app_shell, amp, lazy, step_page, overlays, builder,
    )
}  # fmt: skip
