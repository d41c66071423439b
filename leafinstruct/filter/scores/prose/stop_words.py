"""Stop words: the function words (articles, pronouns, prepositions, conjunctions, auxiliaries) of a language.

A sentence cannot be built without them, so lists of key words, random letters, dumps of bytes and text that
was damaged by a wrong character set have few of them. Gopher (Rae et al. 2021, arXiv 2112.11446, table A1)
keeps documents with at least two of eight English words; OBELICS (Laurençon et al. 2023, arXiv 2306.16527,
appendix A.2.3) bounds their share. Here it is a share, for WORDS' languages.

    spaced scripts       share of words that are in the list
    Chinese, Japanese    share of characters that are in the list: particles and auxiliaries are one or two
    Korean               also words that end with a particle, which is joined to its noun

Thai, Lao, Khmer and Burmese have no spaces and no characters that are function words: not applicable. So are
languages without a list.

Chosen: lists of our own over those of NLTK and stopwords-iso, which contain verbs and nouns ("try", "world"),
and differ much in length between languages, so that no bound fits all.
"""

# ruff: noqa: E501, RUF001 - lists of words; signs of other scripts are intended

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leafinstruct.records.text.words import UNITS, weight

_LISTS = {
    "ar": "في من على إلى عن مع هذا هذه ذلك تلك التي الذي الذين ما لا لم لن إن أن أو و ثم قد كل بعض بين بعد قبل عند حتى إذا كان كانت يكون هو هي هم كما لكن غير أي أيضا حيث خلال بها به له لها فيه فيها منها منه عليه عليها",
    "bg": "и в на с за от до по при се си е са не да че как който която което които това този тази тези но или а още само като ще бъде беше има няма към през без между след преди му й им го ги я ви ни",
    "ca": "el la els les un una uns unes de del dels a al als en amb per i o però que si no es se us ens ho hi ha han és són com més molt tot aquest aquesta això seu seva entre sobre fins quan també ja",
    "cs": "a v ve na s se z ze do k ke o u po pro při od za je jsou byl byla bylo být není to ten ta tato toto tento co jak který která které kteří že i ale nebo aby když už jen tak jako si mu ho jej jeho její jejich než před mezi bez",
    "da": "og i på af til fra med for om er var har det den de en et der som at ikke men eller så når hvis kan vil skal du vi jeg han hun sig sin deres også efter før ved over under mellem hvor hvad være blive",
    "de": "der die das des dem den ein eine einer eines einem einen und oder aber dass daß wenn weil als wie ob in im an am auf aus bei mit nach von vom vor zu zum zur über unter für durch gegen ohne um bis ist sind war waren wird werden wurde hat haben hatte kann können muss müssen soll nicht kein keine auch nur noch schon so sehr mehr ich du er sie es wir ihr mich dich sich uns man sein ihre dieser diese dieses diesem diesen dann da hier dort was wer denn doch",
    "el": "ο η το οι τα του της των τον την τους τις στο στη στην στον στα στις στους και ή αλλά να θα δεν μη μην που πως ότι όταν αν για με σε από προς μετά πριν χωρίς είναι ήταν έχει έχουν ένα ένας μια μία αυτό αυτή αυτός αυτά μας σας μου σου όπως πολύ πιο κάθε όλα όλοι μόνο ως κατά",
    "en": "the a an and or but nor if then than that this these those there here of in on at to from by with without for about into onto over under between through during before after above below up down out off again is are was were be been being am do does did has have had having will would can could shall should may might must not no so too very just only also it its he she they them their his her him we us our you your i me my who whom whose which what when where why how all any both each few more most other some such own same as while because until",
    "es": "el la los las un una unos unas de del al a en con por para sin sobre entre hasta desde y e o u pero que si no ni como cuando donde porque es son era fue ser está están estar hay ha han se su sus le les lo me te nos mi tu este esta esto estos estas ese esa eso más muy ya también todo toda todos todas cada otro otra puede",
    "fa": "و در به از که این آن را با برای است بود شد می‌شود می شود ها های یا تا بر یک هر هم نیز اما اگر چون پس ما شما او آنها خود باید کرد کند کنید شده دارد دارند نیست بین روی بعد قبل",
    "fi": "ja tai mutta että kun jos niin kuin on oli ovat olla ei en se ne hän he me te minä sinä tämä nämä tuo joka jotka mikä mitä myös vain vielä jo sitten sen siitä siihen sitä niitä ole voi kanssa ennen jälkeen ilman kaikki",
    "fr": "le la les l un une des du de d à au aux en dans sur sous par pour avec sans entre vers chez et ou mais donc car ni que qu qui quoi dont où si ne n pas plus est sont était être été a ont avoir c ce cet cette ces se s son sa ses leur leurs il elle ils elles on nous vous je j tu me m te mon ma mes votre vos notre nos y très aussi comme quand lorsque puis tout tous toute toutes même peut",
    "he": "של על את עם אל מן מ ב ל ה ו כי אם או אבל גם לא אין יש הוא היא הם הן אני אתה אנחנו זה זו זאת אלה אשר ש כל עוד רק כמו אז כאשר לפני אחרי בין עד היה היתה הייתה יהיה להיות כדי לו לה להם אותו אותה מה מי איך כך יותר",
    "hi": "के का की को में से पर और या लेकिन कि यह वह ये वे इस उस इन उन है हैं था थी थे हो होता होती होते ने भी ही तो नहीं न एक कर करें करने करना किया लिए साथ तक बाद पहले जब तब अगर यदि जो अपने अपनी अपना आप हम मैं कुछ सब सभी जैसे फिर गया रहा रहे रही द्वारा",
    "hu": "a az és vagy de hogy ha nem is meg csak már még mint ez azt ezt arra erre amely ami aki van volt lesz egy el le ki be fel át után előtt között alatt nélkül minden kell lehet majd mert akkor ott itt úgy így",
    "id": "yang dan di ke dari untuk dengan pada adalah ini itu atau tidak akan dapat bisa sudah telah oleh juga karena jika agar sebagai dalam antara setelah sebelum saat kami kita anda saya mereka dia ia lebih semua ada hanya lalu kemudian tetapi",
    "it": "il lo la i gli le l un uno una di del dello della dei degli delle a al allo alla ai agli alle da dal dalla dai in nel nella nei nelle con su sul sulla per tra fra e ed o ma che chi cui se non né come quando dove perché è sono era erano essere ha hanno si ci vi ne lo mi ti suo sua suoi sue questo questa questi queste quello più molto anche già tutto tutti ogni può",
    "mr": "आणि व किंवा पण की हा ही हे ते तो ती या त्या एक आहे आहेत होता होती होते नाही न तर जर च देखील सर्व काही करा करून केले करणे साठी मध्ये वर खाली पासून पर्यंत नंतर आधी आपण तुम्ही आम्ही मी त्याच्या त्यांच्या म्हणून असे अशी असा जे जो जी",
    "nl": "de het een en of maar dat die dit deze in op aan van voor met naar bij uit over onder tussen door tot om te ten is zijn was waren wordt worden werd heeft hebben had kan kunnen moet moeten zal niet geen ook nog al als dan wanneer omdat er hier daar ik je jij hij zij ze we wij u jullie zich hun haar mijn uw wat wie hoe veel meer alle elke",
    "no": "og i på av til fra med for om er var har det den de en et ei som at ikke men eller så når hvis kan vil skal du vi jeg han hun seg sin deres også etter før ved over under mellom hvor hva være bli",
    "pl": "i w we na z ze do od po za o u dla przy przez bez nad pod między jest są był była było być nie to ten ta te tego tej tym tych co jak który która które że ale lub albo czy aby żeby gdy jeśli już tylko tak się jego jej ich on ona oni my wy ja mu go więc oraz też jako bardzo",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas a ao à aos às por pelo pela com sem para entre até desde sobre e ou mas que se não nem como quando onde porque é são era foi ser está estão há tem têm seu sua seus suas lhe me te nos este esta isto esse essa isso mais muito já também todo toda todos todas cada pode você ele ela",
    "ro": "și în la de din cu pe pentru prin fără sub între după până un o unui unei este sunt era fi nu că să se care ce cum când dacă dar sau ori mai foarte tot toate toți acest această acesta aceasta aceste lor lui ei el ea noi voi eu îi le îl va am are au fost",
    "ru": "и в во на с со к ко по из за от до у о об для при без под над между через не ни но а или что чтобы как если когда где то же бы ли это этот эта эти этого той тот та те он она оно они мы вы я его её ее их им ему нам вам нас вас себя свой свою который которая которые которое был была было были быть есть все всё всех так также уже ещё еще только очень можно нужно после перед",
    "sk": "a v vo na s so z zo do k ku o u po pre pri od za je sú bol bola bolo byť nie to ten tá táto toto tento čo ako ktorý ktorá ktoré ktorí že aj ale alebo aby keď už len tak si mu ho jeho jej ich než pred medzi bez sa",
    "sv": "och i på av till från med för om är var har det den de en ett som att inte men eller så när kan ska vill du vi jag han hon sig sin deras också efter före vid över under mellan där vad vara bli blir man sedan alla",
    "tr": "ve veya ile bir bu şu o da de ki mi için gibi kadar daha çok en ne ama fakat ancak değil var yok olan olarak ise sonra önce her tüm biz siz ben sen onlar bunu bunun üzerinde altında içinde arasında göre",
    "uk": "і й та в у на з із зі до від по за о об для при без під над між через не ні але а або що щоб як якщо коли де то ж би чи це цей ця ці цього той він вона воно вони ми ви я його її їх їм нам вам себе свій свою який яка які яке був була було були бути є все всіх так також вже ще тільки дуже можна треба після перед",
    "vi": "và của là có không được trong cho với các những một này đó khi thì mà để từ ra vào trên dưới ở đến như nếu hay hoặc cũng đã đang sẽ bạn tôi chúng ta họ nó rất nhiều hơn lại sau trước bằng về theo tại",
}
_CHARACTERS = {
    "ja": "のはがをにでとも、へやかられてたしいうるなまり",
    "zh": "的了在是和我你他她它们們这這那有就也都要不把被让讓对對与與从從到会會能可以之其所而或个個为為上下里一很得着着地过過再又还還于於",
}
_KOREAN = "은는이가을를에의로와과도만서며고면지다요"
"""Last syllables of words that are a noun with its particle, or a verb with its ending."""

WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}
CHARACTERS = {language: frozenset(found) for language, found in _CHARACTERS.items()}
LANGUAGES = frozenset((*WORDS, *CHARACTERS, "ko"))
"""Languages whose stop words are known."""

FEW = 0.05
"""A paragraph has hardly any stop words below this share. Sentences have 0.15 (Finnish, Turkish) to 0.5
(English, French)."""
LEAST = 10
"""Words from which a paragraph is expected to have a stop word."""


def base_of(language: str | None) -> str | None:
    """The language whose list is used: `zh` for zh-Hant, `no` for nb and nn; None if there is no list."""
    code = (language or "").partition("-")[0]
    code = {"nb": "no", "nn": "no", "iw": "he"}.get(code, code)
    return code if code in LANGUAGES else None


def share(words: Sequence[str], language: str) -> float:
    """Share of words that are stop words, [0, 1]; 0 for no words.

    words: as words_of divides them, in lower case. language: one of LANGUAGES. Words count by their weight,
    so that Latin names in a Chinese text do not count less than its characters.
    """
    total = sum(map(weight, words))
    return sum(map(weight, _found(words, language))) / total if total else 0.0


def _found(words: Sequence[str], language: str) -> Iterable[str]:
    if language == "ko":
        return (word for word in words if len(word) > 1 and word[-1] in _KOREAN)
    known = WORDS.get(language) or CHARACTERS[language]
    return (word for word in words if word in known)


def is_poor(words: Sequence[str], language: str) -> bool:
    """Whether a paragraph of at least LEAST words has hardly any stop words."""
    return sum(map(weight, words)) >= LEAST * UNITS and share(words, language) < FEW
