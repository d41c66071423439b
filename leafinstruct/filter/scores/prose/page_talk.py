"""Talk of a page about itself: what to click, where to read on, whom to follow. No model.

An assistant's phrases ("Certainly! Here is", "I hope this helps") count too: they talk to somebody who asked.

Such sentences mean nothing outside of their page, and a model that is trained on them answers with them. They
are counted, not removed: "Click the button" may be a step of a how-to, so patterns name only what belongs to
a page (its image, its next step, its comments), and a share of sentences is bounded, not a single one.

Languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Russian, Chinese, Japanese, Korean.
In others the share is 0 unless a page mixes in English, as navigation often does. C4 (Raffel et al. 2020,
section 2.2) drops lines with "javascript", "lorem ipsum", "terms of use" and "cookie policy"; these are among
the patterns.
"""

# ruff: noqa: E501, RUF001 - patterns in one line each; signs of other scripts are intended

from __future__ import annotations

import math
import re
from itertools import islice

from leafinstruct.records.document import Document
from leafinstruct.records.text.words import sentence_spans

_ENGLISH = (
    r"click(?:ing)?(?: on)? (?:here|(?:the|this|any|each|an?)(?: \w+)? (?:image|picture|photo|thumbnail|figure|banner)s?)",
    r"(?:click|tap)(?: on)? (?:the|this) link",
    r"(?:read|see|view|learn|load|show) more\b(?=\W*$)|continue reading|keep reading|read the (?:full|whole) (?:article|story|post)",
    r"(?:share|pin|tweet|bookmark|print|rate) this(?: \w+)?(?: (?:page|post|article|recipe|tutorial|story|guide))?\b(?=\W*$| on | with )",
    r"(?:subscribe|sign up|register)(?: now| here)? (?:to|for) (?:our|the|my) (?:\w+ )?(?:newsletter|channel|mailing list|updates|blog)",
    r"(?:log|sign) in(?: here| now)? to (?:comment|post|continue|reply|save|download|see|view|read|leave)|create an account|forgot your password",
    r"(?:leave|post|add|write|read|view)(?: us)? (?:a|your|all|the|\d+) (?:comment|reply|review)s?|comments? (?:are|is) closed|in the comments(?: section)? below",
    r"scroll (?:down|up|to the (?:top|bottom|end))|(?:back|go|return) to (?:the )?(?:top|home ?page|overview|main (?:menu|page))",
    r"(?:open|file|submit|create) an issue\b|edit this page|(?:suggest|propose) (?:an )?edits?|view (?:the )?source\b(?=\W*$)|report (?:a (?:bug|problem)|an (?:error|issue))",
    r"(?:go|proceed|continue|move on|on|back)(?: back)? to the (?:next|previous) (?:step|page|lesson|chapter|part|section|article)",
    r"^\W*(?:next|previous)(?: (?:step|page|lesson|chapter|part|section|article|post))?\W*$",
    r"follow (?:us|me) on|join (?:us|our (?:community|forum|discord|slack|newsletter|mailing list))|find us on (?:facebook|twitter|instagram|youtube|x)\b",
    r"(?:was|is) this (?:page|article|answer|guide|information|tutorial) (?:helpful|useful)|did you find this \w+ (?:helpful|useful)",
    r"(?:this (?:page|article|post|site|website)|our (?:site|website)) (?:uses|was (?:last )?(?:updated|edited|modified|translated|written|published)|requires|is licensed|contains affiliate)",
    r"(?:enable|turn on|activate) javascript|javascript (?:is|must be|to be) (?:disabled|enabled|required)|your browser does not support",
    r"lorem ipsum|terms of (?:use|service)|privacy policy|cookie policy|all rights reserved|(?:accept|use of|uses?|our) cookies",
    r"(?:related|similar|recommended|popular|latest|recent|more) (?:articles|posts|stories|topics|products|pages)\b(?=\W*$|:)|you (?:may|might) also (?:like|enjoy|be interested)",
    r"table of contents|on this page|in this article\b(?=\W*$)|download (?:the|this|our) (?:pdf|app|page)|print(?:er)?[- ]friendly",
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b|i hope (?:this|that) helps|let me know if you (?:would like|want|need|have)|my (?:knowledge|training)(?: data)? (?:was last updated|cut-?off|ends in)",
    r"^\W*(?:certainly|sure|of course|absolutely)\W+here(?:'s|’s| is| are)|\[(?:insert|your|add) [^\]]{1,40}\]|feel free to (?:ask|reach out)|is there anything else (?:i|you)",
    r"add to (?:cart|basket|wish ?list)|(?:sponsored|advertisement)\b(?=\W*$)|(?:open|opens) in a new (?:tab|window)",
)
_OTHERS = {
    "de": r"(?:hier|auf das bild|auf die bilder|auf den link) klicken|klicken? sie (?:hier|auf (?:das bild|die bilder|den link))|weiterlesen|mehr (?:lesen|erfahren)\b(?=\W*$)|(?:seite|artikel|beitrag) (?:teilen|drucken|bearbeiten)|newsletter (?:abonnieren|bestellen)|kommentar (?:schreiben|hinterlassen|verfassen)|nach oben scrollen|zum seitenanfang|(?:nächster|vorheriger) (?:schritt|artikel|beitrag)\b(?=\W*$)|zurück zur (?:startseite|übersicht)|datenschutzerklärung|alle rechte vorbehalten|war dieser (?:artikel|beitrag) hilfreich|folgen sie uns",
    "fr": r"cliquez (?:ici|sur (?:l['’]image|les images|la photo|le lien))|lire la suite|en savoir plus\b(?=\W*$)|partager (?:cet? |cette )?(?:article|page)|abonnez-vous|laisse[rz] un commentaire|retour en haut|étape (?:suivante|précédente)\b(?=\W*$)|suivez-nous|tous droits réservés|politique de confidentialité|modifier cette page|cet article vous a-t-il",
    "es": r"ha(?:z|ga) clic (?:aquí|en (?:la imagen|la foto|el enlace))|leer más\b(?=\W*$)|seguir leyendo|compart(?:e|ir|a) (?:est[ea] )?(?:artículo|página|entrada)|suscríb(?:ete|ase)|dej(?:a|e|ar) un comentario|volver arriba|(?:siguiente|anterior) (?:paso|artículo|página)\b(?=\W*$)|síg(?:ue|a)nos|todos los derechos reservados|política de (?:privacidad|cookies)|editar esta página",
    "pt": r"cli(?:que|ca) (?:aqui|na imagem|na foto|no link)|leia mais\b(?=\W*$)|continu(?:e|ar) lendo|compartilh(?:e|ar) (?:est[ea] )?(?:artigo|página)|inscreva-se|deixe um comentário|voltar ao topo|(?:próximo|próxima) (?:passo|página|artigo)\b(?=\W*$)|siga-nos|todos os direitos reservados|política de privacidade",
    "it": r"clicca (?:qui|sull['’]immagine|sulla foto|sul link)|leggi (?:tutto|di più)|continua a leggere|condividi (?:questo |questa )?(?:articolo|pagina)|iscriviti|lascia un commento|torna su\b|(?:prossimo|precedente) (?:passo|articolo)\b(?=\W*$)|seguici|tutti i diritti riservati",
    "nl": r"klik (?:hier|op (?:de (?:afbeelding|foto|link)|het plaatje))|lees (?:meer|verder)\b(?=\W*$)|deel (?:dit artikel|deze pagina)|schrijf je in|laat een reactie achter|terug naar boven|(?:volgende|vorige) (?:stap|pagina)\b(?=\W*$)|volg ons|alle rechten voorbehouden|privacybeleid",
    "ru": r"нажмите (?:здесь|сюда|на (?:изображение|картинку|фото|ссылку))|читать (?:далее|дальше|полностью)|подробнее\b(?=\W*$)|поделиться (?:в|этой|статьёй|статьей)|подпи(?:шитесь|сывайтесь)|оставить комментарий|наверх\b(?=\W*$)|(?:следующий|предыдущий) (?:шаг|урок)\b(?=\W*$)|все права защищены|политика конфиденциальности",
    "zh": r"点击(?:这里|此处|图片|链接|查看|阅读)|點擊(?:這裡|此處|圖片|連結)|阅读(?:更多|全文)|閱讀(?:更多|全文)|分享到|关注我们|關注我們|返回(?:顶部|首页)|下一(?:步|页|篇)\W*$|上一(?:步|页|篇)\W*$|版权所有|隐私政策|发表评论|登录后",
    "ja": r"(?:ここ|画像|写真|リンク)を(?:クリック|タップ)|続きを読む|もっと(?:見る|読む)|シェアする|フォロー(?:する|してください)|トップ(?:へ|に)戻る|(?:次|前)の(?:ページ|記事|ステップ)\W*$|無断転載|プライバシーポリシー|コメントを(?:残す|書く)",
    "ko": r"(?:여기|이미지|사진|링크)를? ?(?:클릭|눌러)|(?:더|계속) ?(?:보기|읽기)|공유하기|구독(?:하기|해 ?주세요)|맨 위로|(?:다음|이전) (?:단계|페이지|글)\W*$|댓글을? (?:남기|쓰)|무단 ?전재|개인정보 ?처리방침",
}
_PATTERNS = {
    language: re.compile(pattern)
    for language, pattern in {"en": "|".join(f"(?:{one})" for one in _ENGLISH), **_OTHERS}.items()
}
_TRIGGERS = frozenset(
    [
        "absolutely",
        "account",
        "add",
        "ai",
        "artificial",
        "certainly",
        "course",
        "feel",
        "helps",
        "insert",
        "know",
        "knowledge",
        "model",
        "sure",
        "there",
        "training",
        "your",
        "advertisement",
        "affiliate",
        "article",
        "basket",
        "bookmark",
        "bottom",
        "browser",
        "cart",
        "chapter",
        "click",
        "clicking",
        "comment",
        "comments",
        "community",
        "contents",
        "continue",
        "cookie",
        "cookies",
        "discord",
        "edit",
        "edited",
        "edits",
        "enjoy",
        "error",
        "facebook",
        "file",
        "find",
        "follow",
        "friendly",
        "guide",
        "helpful",
        "homepage",
        "interested",
        "ipsum",
        "issue",
        "javascript",
        "keep",
        "latest",
        "lesson",
        "like",
        "license",
        "licensed",
        "link",
        "lists",
        "mailing",
        "main",
        "menu",
        "modified",
        "more",
        "newsletter",
        "next",
        "overview",
        "page",
        "password",
        "pin",
        "popular",
        "post",
        "previous",
        "print",
        "privacy",
        "problem",
        "propose",
        "published",
        "read",
        "recent",
        "recommended",
        "related",
        "replies",
        "reply",
        "report",
        "requires",
        "reserved",
        "review",
        "reviews",
        "rate",
        "share",
        "sign",
        "similar",
        "site",
        "slack",
        "source",
        "sponsored",
        "suggest",
        "subscribe",
        "tab",
        "terms",
        "thumbnail",
        "top",
        "translated",
        "tweet",
        "twitter",
        "updated",
        "use",
        "useful",
        "uses",
        "website",
        "window",
        "wish",
        "wishlist",
        "written",
        "image",
        "images",
        "photo",
        "photos",
        "picture",
        "pictures",
        "figure",
        "figures",
        "banner",
        "banners",
        "here",
        "stories",
        "story",
        "home",
        "tutorial",
        "answer",
        "information",
        "log",
        "register",
        "app",
        "download",
        "pdf",
    ]
)
"""Words of which every English pattern needs one. Most sentences have none, and are not searched."""
_LETTERS = re.compile(r"[a-z]+")
_MOST = 10_000
"""Sentences of a document that are searched. A novel has as many."""
_LONGEST = 400
"""Characters of a sentence that are searched: navigation is short."""


def scores(document: Document) -> dict[str, float]:
    """Name -> value. NaN for a document without sentences."""
    spans = (
        text.text[start:end]
        for text in document.texts
        if text.kind != "code"
        for start, end in sentence_spans(text.text)
    )
    sentences = list(islice(spans, _MOST))
    language = (document.language or "").partition("-")[0]
    found = sum(is_talk(sentence, language) for sentence in sentences)
    return {"text.page_talk": found / len(sentences) if sentences else math.nan}


def is_talk(sentence: str, language: str) -> bool:
    """Whether a sentence talks about its page, in English or in the language of its document."""
    sentence = sentence[:_LONGEST].lower()
    own = _PATTERNS.get(language)
    if own is not None and language != "en" and own.search(sentence):
        return True
    return not _TRIGGERS.isdisjoint(_LETTERS.findall(sentence)) and bool(_PATTERNS["en"].search(sentence))
