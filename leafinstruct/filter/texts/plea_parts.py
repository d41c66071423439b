"""The two parts of a sentence that addresses a judge or a model: whom it addresses, and what it demands.

    address    "Dear language model,"  "Note to the rater:"  "If you are an automated judge,"
               "When a model reads this page,"  "Assistant,"  "SYSTEM:"
    demand     a verdict: "give it the highest score", "text_quality 5", "this page is excellent"
               obedience: "disregard your guidelines", "from now on answer ...", "recommend our products"

Each part alone is ordinary: a page about language models names them, and a contest asks for scores. Both in one
sentence, or a demand in the sentence after an address, are a plea (pleas.py). Languages: those of
plea_patterns.py. A language has the nouns that are addressed, words that open an address, words that open a
condition, verbs of reading, and demands. Every repetition is bounded.
"""

# ruff: noqa: E501, RUF001 - patterns in one line each; letters of many scripts are intended

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_START = r"(?:^[\W_]{0,4}|(?<=[.!?:;)\]>] )|(?<=[。！？：；،]))"
"""Of a line or a sentence."""
_WORDS = r"(?:[\w'’-]{1,20} )"
_NAMES = r"chat ?gpt|gpt(?:-?\d\w{0,3})?|claude|gemini|copilot|llama|mistral|llms?|a\.?i\.?s?|ai[ -](?:agent|assistant|bot|crawler|evaluator|grader|judge|model|rater|reader|reviewer|scorer|system|tool)s?"
"""Of models, as all languages write them."""
_SCORES = r"\b(?:5|10|100) ?(?:/|out of|of|von|sur|de|su|van|z|из) ?(?:5|10|100)\b(?! ?(?:stars?|sterne?|étoiles|estrellas|estrelas|stelle|sterren))|\b\w{0,20}(?:quality|score|rating|relevance|coherence|verdict|instruction_value)[\"'*_`]{0,2} ?[:=]? ?(?:5|10|100|perfect|excellent)\b"

_NAME = re.compile(
    rf"\b(?:{_NAMES})(?![\w'’-])|{_START}(?:system|assistant|developer)\b", re.IGNORECASE | re.MULTILINE
)
MOST_NAMES = 1_000
"""Names of models in one text around which addresses are searched, since each takes 0.2 ms in all languages: a
million letters of `dear ai` would take 20 s. Text that people read has fewer."""
_BEFORE, _AFTER = 80, 90
"""Characters around a noun in which its address is searched."""
_END = r"(?= ?[,:;!.\n–—-]|$| (?:you|please|and)\b)"
"""What follows a noun that is called: "Dear model," but not "Dear model railway friends"."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The patterns of one language. cues: lower-case words, one of which every address has, unless it has a
    name of a model. noun: who is addressed."""

    cues: tuple[str, ...]
    noun: re.Pattern[str]
    address: re.Pattern[str]
    demand: re.Pattern[str]

    def addresses(self, text: str, names: Sequence[tuple[int, int]]) -> Iterator[re.Match[str]]:
        """The addresses in a text. Only the surroundings of nouns and of names of models are searched, since
        most texts have none. names: of the text."""
        nouns = (noun.span() for noun in self.noun.finditer(text)) if self.has_cue(lowered(text)) else ()
        window = (0, 0)
        for start, end in sorted((*names, *nouns)):
            if start - _BEFORE > window[1]:
                yield from self.address.finditer(text, *window)
                window = (start - _BEFORE, end + _AFTER)
            window = (window[0], end + _AFTER)
        yield from self.address.finditer(text, *window)

    def has_cue(self, lower: str) -> bool:
        return any(cue in lower for cue in self.cues)


def lowered(text: str) -> str:
    """A text as cues are searched in it."""
    return f" {text.lower()}".replace("\n", " ")


def names_in(text: str) -> list[tuple[int, int]]:
    """The first MOST_NAMES places of names of models, in all languages, and of roles at the beginning of a
    line."""
    return [found.span() for found in islice(_NAME.finditer(text), MOST_NAMES)]


def possible(text: str) -> list[Parts]:
    """The languages of which the text may have an address."""
    if _NAME.search(text):
        return list(PARTS)
    lower = lowered(text)
    return [parts for parts in PARTS if parts.has_cue(lower)]


def _spaced(cues: str, nouns: str, calls: str, conditions: str, reads: str, demand: str) -> Parts:
    """Parts of a language with spaces between words."""
    own = rf"(?:{nouns})(?![\w'’-])"
    who = rf"(?:{own}|(?:{_NAMES})(?![\w'’-]))"
    role = r"(?:system|assistant|developer)(?: (?:prompt|message|note|override))?"
    address = (
        rf"{_START}(?:{calls})[ ,:]{{1,2}}{_WORDS}{{0,3}}?{who}{_END}",
        rf"\b(?:{conditions}) {_WORDS}{{0,3}}?{who}",
        rf"\b{who}[^.!?\n,]{{0,60}}?\b(?:{reads})\b",
        rf"{_START}{who} ?[,:!]",
        rf"{_START}{role} ?[\])*]{{0,2}} ?:",
    )
    return _parts(cues, rf"\b{own}", "|".join(f"(?:{one})" for one in address), f"{demand}|{_SCORES}")


def _parts(cues: str, noun: str, address: str, demand: str) -> Parts:
    flags = re.IGNORECASE | re.MULTILINE
    return Parts(tuple(cues.split("|")), *(re.compile(one, flags) for one in (noun, address, demand)))


_PAGE = r"(?:this|the|our|my) (?:\w{1,20} )?(?:page|document|text|article|sample|example|answer|response|submission|passage|website|site|content|entry|lesson|guide|tutorial|material|paragraph)s?"
_TOP = r"(?:highest|maximum|top|full|perfect|best|excellent)(?: possible)? (?:score|rating|grade|mark|point|verdict)s?"

PARTS = (
    _spaced(  # en
        "model|assistant| bot|judge|grader|rater|evaluator|reviewer|annotator|scorer|assessor|crawler|classifier|filter",
        r"(?:(?:large|small|big) )?(?:language |foundation |neural )?models?|(?:virtual |digital )?assistants?|chat ?bots?|bots?|judges?|graders?|raters?|evaluators?|reviewers?|annotators?|scorers?|assessors?|crawlers?|classifiers?|(?:quality|content) filters?",
        r"dear|hey|hello|hi|attention|(?:important )?(?:note|notice|message|memo|instructions?|reminder|request|information) (?:to|for)|to|for",
        r"if you(?: are|'re|’re) an?|if you(?: are|'re|’re)(?: the)?|as an?(?= (?:automated|automatic|(?<![a-z])ai(?![a-z])|llm)\b)|you(?: are|,) the|whether you are an?",
        r"(?:reads?|reading|process(?:es|ing)?|sees?|summari[sz](?:es?|ing)|pars(?:es?|ing)|ingests?|evaluat(?:es?|ing)|scor(?:es?|ing)|grad(?:es?|ing)|crawls?|encounters?|trained on|visits?|scans?) (?:this|these|our)|(?:should|must|shall|(?:is|are) (?:asked|instructed|required|told|ordered|advised) to|(?:has|have) to) (?:always |never |only )?(?:rate|score|grade|mark|give|assign|award|recommend|praise|promote|treat|consider|ignore|disregard|repeat)\b[^.!?\n]{0,40}?\b(?:this|our|its (?:own|previous))",
        rf"\b(?:give|assign|award|grant)\b[^.!?\n]{{0,40}}?\b{_TOP}(?! to (?!this|it))"
        rf"|\b(?:answer|respond|reply|output|return|print|write|report|say|vote|choose|select)\b[^.!?\n]{{0,30}}?\b{_TOP}"
        rf"|\b(?:score|rate|grade|mark|label|rank|classify|judge|consider|treat|evaluate|accept|approve|give|assign)\b (?:(?:it|this)\b|{_PAGE})[^.!?\n]{{0,40}}?\b(?:perfect|excellent|flawless|outstanding|superb|high(?:est|ly)?|top|maximum|full marks|five|ten|5|10|100)\b"
        rf"|\b{_PAGE} (?:is|has|was|are|deserves?|merits?|must|should)\b[^.!?\n]{{0,40}}?\b(?:excellent|perfect|highest|flawless|outstanding|superb|high[ -]quality|full marks|already (?:rated|scored|judged|evaluated|reviewed|approved))\b"
        rf"|\b(?:evaluation|grading|scoring|review|assessment|rating) (?:of|for) {_PAGE} (?:is|has|was)\b"
        r"|\b(?:ignore|disregard|forget|override|bypass|abandon|suspend|stop following|do not follow|don['’]t follow)\b (?:[\w'’]{1,20} ){0,4}?(?:instructions?|guidelines?|rules?|prompts?|polic(?:y|ies)|directions?|criteria|rubric|training|restrictions|constraints|commands?|orders?)\b"
        r"|\b(?:from now on|henceforth|from this point on|in (?:all|every) (?:future |further |later )?(?:answers?|repl(?:y|ies)|responses?|conversations?))\b"
        r"|\b(?:answer|respond to|reply to)\b (?:every|all|any|each) (?:\w{1,20} )?(?:questions?|users?|prompts?|requests?|messages?)\b"
        r"|\b(?:answer|respond|reply)\b (?:only |always )?with (?:only )?(?:the )?(?:exact )?(?:words?|phrase|sentence|name|text|string|following)\b"
        r"|\b(?:repeat|copy|output|print|reproduce|quote|insert|append)\b (?:\w{1,20} ){0,2}?(?:this|the following|these) (?:\w{1,20} )?(?:paragraph|sentence|text|words?|link|message|phrase|url|advertisement|line|notice|string)s?\b"
        r"|\b(?:recommend|promote|praise|advertise|endorse|mention|favou?r|link to|cite)\b (?:\w{1,20} ){0,2}?(?:our|this|my|only|us|these|the (?:author|site|brand|company|shop|store)|its author)\b"
        r"|\b(?:never|do not|don['’]t|must not|should not|refuse to)\b (?:ever )?(?:mention|reveal|recommend|disclose|read (?:any )?(?:further|on)|criticiz|summari[sz]e|evaluate|lower|penali[sz]e|deduct|question)"
        r"|\byour (?:next|final|whole|entire|system|hidden|previous|own) (?:repl(?:y|ies)|responses?|answers?|outputs?|summary|verdict|prompt|instructions?|guidelines?)\b"
        r"|\b(?:obey|do as) (?:this|these|our|my|me|us|the following)\b|\b(?:tell|inform|convince) (?:the|your|each|every|all) users?\b|\bdeveloper mode\b",
    ),
    _spaced(  # de
        " ki|modell|assistent|bewerter|gutachter|prüfer|richter| bot",
        r"ki(?:[ -](?:modelle?|systeme?|assistent(?:en|in)?|bewerter|prüfer))?|(?:große[sn]? )?sprachmodelle?n?|modelle?|assistent(?:en|in)?|(?:chat)?bots?|bewerter|gutachter|prüfer|richter|künstliche intelligenz",
        r"liebe[rs]?|hallo|hey|achtung|(?:wichtiger )?hinweis (?:an|für)|nachricht (?:an|für)|anweisung(?:en)? (?:an|für)|an|für",
        r"(?:wenn|falls|sofern) (?:du|sie) (?:ein\w{0,2}|der|die|das)|als (?:automatische\w?|ki)",
        r"(?:diese\w?|unsere\w?) (?:seite|text|dokument|artikel|inhalte?|website) (?:liest|lesen|verarbeitet|bewertet|bewerten|zusammenfasst|auswertet)|(?:soll|sollen|muss|müssen) (?:diese\w?|unsere\w?)",
        r"\b(?:gib|geben|vergib|vergeben|antworte|antworten|bewerte|bewerten|benote|erteile|erteilen|stufe)\b[^.!?\n]{0,60}?\b(?:höchst\w{0,2}|best\w{0,4}|bestnote|maximal\w{0,2}|perfekt|ausgezeichnet|hervorragend|volle punktzahl|fünf|zehn|5|10)\b(?! sterne)"
        r"|\b(?:dies\w{1,2}|unser\w{0,2}) (?:seite|text|dokument|artikel)\b[^.!?\n]{0,60}?\b(?:ausgezeichnet|hervorragend|perfekt|höchst\w{0,2}|bestnote)\w{0,2}\b"
        r"|\b(?:ignorier|missacht|vergiss|vergessen|übergeh|umgeh)\w{0,4}\b[^.!?\n]{0,40}?\b(?:anweisung|regel|richtlinie|vorgabe|instruktion|prompt|befehl)\w{0,3}\b"
        r"|\b(?:ab jetzt|von nun an|ab sofort)\b"
        r"|\b(?:beantworte|empfiehl|empfehlen|empfehle|erwähne|lobe)\w?\b[^.!?\n]{0,60}?\b(?:unser\w{0,2}|jede\w?|alle|nur|niemals)\b"
        r"|\b(?:unser\w{0,2})\b[^.!?\n]{0,40}?\b(?:empfehlen|erwähnen|loben)\b"
        r"|\bwiederhol\w{0,3}\b[^.!?\n]{0,30}?\b(?:absatz|satz|text|worte|wörter)\b|\b(?:deine|ihre) (?:nächste|letzte|ganze) (?:antwort|ausgabe)\b",
    ),
    _spaced(  # fr
        "modèle|assistant|évaluateur|correcteur|juge| ia| bot|noteur|annotateur",
        r"ia|intelligence artificielle|(?:grands? )?modèles?(?: de langage| de langue| d['’]ia)?|assistante?s?(?: ia| virtuel)?|(?:chat)?bots?|évaluateurs?|correcteurs?|juges?|annotateurs?",
        r"ch(?:er|ère|ers)|bonjour|attention|(?:note|message|instructions?|consignes?|avis) (?:à|aux?|pour)|à|aux?|pour",
        r"si (?:tu es|vous êtes) (?:une?|le|la|l['’])|en tant qu['’]évaluateur",
        r"(?:lit|lisent|lisant|traite|évalue|évaluent|résume|note) (?:cette?|ce|notre|nos)|(?:doit|doivent|devra) [^.!?\n]{0,40}?(?:cette page|ce texte|ce document|cet article|notre|nos)",
        r"\b(?:donne|donnez|donner|attribue[rz]?|note[rz]?|évalue[rz]?|réponds?|répondez|accorde[rz]?)\b[^.!?\n]{0,60}?\b(?:maximale?|la plus haute|la meilleure|parfaite?|excellente?|cinq|dix|5|10)\b(?! étoiles)"
        r"|\b(?:cette page|ce texte|ce document|cet article)\b[^.!?\n]{0,60}?\b(?:excellente?|parfaite?|maximale?|irréprochable)\b"
        r"|\b(?:ignore[rz]?|oublie[rz]?|négliges?|contourne[rz]?)\b[^.!?\n]{0,40}?\b(?:instructions?|consignes?|directives?|règles?)\b"
        r"|\b(?:désormais|dorénavant|à partir de maintenant)\b|\b(?:recommande[rz]?|mentionne[rz]?|vante[rz]?)\b[^.!?\n]{0,30}?\b(?:nos|notre|jamais|toujours|seulement)\b"
        r"|\b(?:répète[rz]?|recopie[rz]?)\b[^.!?\n]{0,30}?\b(?:paragraphe|phrase|texte|mots)\b|\b(?:ta|votre) (?:prochaine|dernière) réponse\b|\brépond\w{0,3} à (?:toutes|chaque)",
    ),
    _spaced(  # es
        "modelo|asistente|evaluador|juez| ia| bot|revisor|calificador",
        r"ia|inteligencia artificial|(?:gran )?modelos?(?: de lenguaje| de ia| lingüístico)?|asistentes?(?: virtual| de ia)?|(?:chat)?bots?|evaluador(?:a|es)?|calificador(?:a|es)?|juez|jueces|revisor(?:a|es)?",
        r"estimad[oa]s?|querid[oa]s?|hola|atención|(?:nota|aviso|mensaje|instrucciones|instrucción) (?:a|al|para)|a|al|para",
        r"si (?:eres|es usted|usted es) (?:una?|el|la)|como (?:evaluador|juez) automático",
        r"(?:lea|lee|leen|procese|procesa|evalúe|evalúa|resuma|resume) (?:esta|este|nuestr[oa]s?)|(?:debe|deben|deberá) [^.!?\n]{0,40}?(?:esta página|este texto|este documento|nuestr[oa]s?)",
        r"\b(?:da|dale|dar|dé|otorga|otorgue|califica|califique|calificar|puntúa|puntúe|evalúa|evalúe|responde|responda|asigna|asigne)\b[^.!?\n]{0,60}?\b(?:máxim[oa]|más alta|perfect[oa]|excelente|cinco|diez|5|10)\b(?! estrellas)"
        r"|\b(?:esta página|este texto|este documento|este artículo)\b[^.!?\n]{0,60}?\b(?:excelente|perfect[oa]|máxima)\b"
        r"|\b(?:ignor|olvid|desobede|omit)\w{1,4}\b[^.!?\n]{0,40}?\b(?:instrucciones|indicaciones|reglas|directrices|normas)\b"
        r"|\b(?:a partir de ahora|de ahora en adelante|desde ahora)\b|\b(?:recomiend[ae]|recomendar|menciona|mencione|elogia)\b[^.!?\n]{0,30}?\b(?:nuestr[oa]s?|nunca|siempre|solo)\b"
        r"|\b(?:repite|repita|copia|copie)\b[^.!?\n]{0,30}?\b(?:párrafo|frase|texto|palabras)\b|\b(?:tu|su) próxima respuesta\b",
    ),
    _spaced(  # pt
        "modelo|assistente|avaliador|juiz| ia| bot|revisor",
        r"ia|inteligência artificial|(?:grande )?modelos?(?: de linguagem| de ia)?|assistentes?(?: virtual| de ia)?|(?:chat)?bots?|avaliador(?:a|es)?|juiz|juízes|revisor(?:a|es)?",
        r"prezad[oa]s?|car[oa]s?|querid[oa]s?|olá|atenção|(?:nota|aviso|mensagem|instruções|instrução) (?:a|ao|aos|para)|ao|para",
        r"se (?:você é|tu és|for) (?:uma?|o|a)|como avaliador automático",
        r"(?:ler|lê|leia|leem|processar|avaliar|avalia|resumir|resume) (?:est[ae]|noss[oa]s?)|(?:deve|devem|deverá) [^.!?\n]{0,40}?(?:esta página|este texto|este documento|noss[oa]s?)",
        r"\b(?:dê|dar|atribua|atribuir|avalie|avaliar|classifique|pontue|responda)\b[^.!?\n]{0,60}?\b(?:máxim[oa]|mais alta|perfeit[oa]|excelente|cinco|dez|5|10)\b(?! estrelas)"
        r"|\b(?:esta página|este texto|este documento|este artigo)\b[^.!?\n]{0,60}?\b(?:excelente|perfeit[oa]|máxima)\b"
        r"|\b(?:ignor|esqueç|desconsider)\w{1,4}\b[^.!?\n]{0,40}?\b(?:instruções|orientações|regras|diretrizes|ordens)\b"
        r"|\b(?:a partir de agora|de agora em diante)\b|\b(?:recomend[ae]r?|mencione|elogie)\b[^.!?\n]{0,30}?\b(?:noss[oa]s?|nunca|sempre|apenas)\b"
        r"|\b(?:repita|copie)\b[^.!?\n]{0,30}?\b(?:parágrafo|frase|texto|palavras)\b|\b(?:sua|tua) próxima resposta\b",
    ),
    _spaced(  # it
        "modell|assistent|valutator|giudic| ia| bot|revisor",
        r"ia|intelligenza artificiale|(?:grande )?modell[oi](?: linguistic[oi]| di linguaggio| di ia)?|assistent[ei](?: virtuale)?|(?:chat)?bots?|valutator[ei]|giudic[ei]|revisor[ei]",
        r"gentil[ei]|car[oaie]|ciao|attenzione|(?:nota|avviso|messaggio|istruzioni|istruzione) (?:al|alla|all['’]|(?<![a-z])ai(?![a-z])|per)|al|per",
        r"se (?:sei|siete|lei è) (?:un['’]?|uno|una|il)|come valutatore automatico",
        r"(?:legge|leggono|leggi|elabora|valuta|riassume) (?:quest[oa]|questa|nostr[oaie])|(?:deve|devono|dovrà) [^.!?\n]{0,40}?(?:questa pagina|questo testo|questo documento|nostr[oaie])",
        r"\b(?:dai|dare|date|assegna|assegnate|assegnare|valuta|valutate|valutare|rispondi|rispondete|attribuisci)\b[^.!?\n]{0,60}?\b(?:massim[oa]|più alt[oa]|perfett[oa]|eccellente|cinque|dieci|5|10)\b(?! stelle)"
        r"|\b(?:questa pagina|questo testo|questo documento|questo articolo)\b[^.!?\n]{0,60}?\b(?:eccellente|perfett[oa]|massim[oa])\b"
        r"|\b(?:ignor|dimentic|trascur)\w{1,4}\b[^.!?\n]{0,40}?\b(?:istruzioni|indicazioni|direttive|regole)\b"
        r"|\b(?:d['’]ora in poi|da ora in poi|da adesso)\b|\b(?:raccomand|consigli|menzion)\w{1,4}\b[^.!?\n]{0,30}?\b(?:nostr[oaie]|mai|sempre|solo)\b"
        r"|\b(?:ripeti|ripetete|copia)\b[^.!?\n]{0,30}?\b(?:paragrafo|frase|testo|parole)\b|\btua prossima risposta\b",
    ),
    _spaced(  # nl
        "model|assistent|beoordelaar|jury| bot|rechter",
        r"ai|kunstmatige intelligentie|(?:groot )?taalmodel(?:len)?|(?:ai-)?(?:taal)?modellen|model|assistent(?:en)?|(?:chat)?bots?|beoordelaars?|rechters?",
        r"beste|geachte|hallo|let op|(?:opmerking|bericht|instructies?|aanwijzing) (?:aan|voor)|aan|voor",
        r"als (?:je|u|jij) (?:een|de)|als automatische",
        r"(?:deze|dit|onze) (?:pagina|tekst|document|artikel|website) (?:leest|lezen|verwerkt|beoordeelt|samenvat)|(?:moet|moeten) (?:altijd )?(?:deze pagina|deze tekst|dit document|onze)",
        r"\b(?:geef|geven|beoordeel|beoordelen|waardeer|antwoord|ken)\b[^.!?\n]{0,60}?\b(?:hoogste|maximale|perfecte?|uitstekend|vijf|tien|5|10)\b(?! sterren)"
        r"|\b(?:deze pagina|deze tekst|dit document|dit artikel)\b[^.!?\n]{0,60}?\b(?:uitstekend|perfect|hoogste)\w?\b"
        r"|\b(?:negeer|negeren|vergeet|vergeten|omzeil)\b[^.!?\n]{0,40}?\b(?:instructies|opdrachten|aanwijzingen|regels|richtlijnen)\b"
        r"|\b(?:vanaf nu|van nu af aan|voortaan)\b|\b(?:beveel|noem|aanbevelen|noemen)\b[^.!?\n]{0,30}?\b(?:onze|ons|nooit|altijd|alleen)\b|\bonze \w{1,20} (?:aanbevelen|noemen|aanraden)\b"
        r"|\bherhaal\b[^.!?\n]{0,30}?\b(?:alinea|zin|tekst|woorden)\b|\b(?:je|uw) volgende antwoord\b",
    ),
    _spaced(  # pl
        "model|asysten|oceniając|recenzen|sędzi| bot|inteligencj",
        r"ai|sztuczn[ao] inteligencj[ao]|(?:duż\w{1,2} )?model\w{0,3}(?: językow\w{1,3})?|asystent\w{0,4}|(?:chat)?bot\w{0,3}|oceniając\w{1,3}|recenzent\w{0,3}|sędzi\w{1,2}",
        r"drog[ia]|szanown[yia]|witaj|uwaga|(?:uwaga|wiadomość|instrukcj[ae]|informacja) (?:do|dla)|do|dla",
        r"jeśli jesteś|jeżeli jesteś|jako automatyczny",
        r"(?:czyta|czytając\w|przetwarza|ocenia|streszcza) (?:tę|ten|to|nasz\w{0,2})|(?:musi|muszą|powinien|powinny) [^.!?\n]{0,40}?(?:tej stronie|tę stronę|ten tekst|nasz\w{0,2})",
        r"\b(?:daj|dać|oceń|ocenić|przyznaj|przyznać|odpowiedz|wystaw)\b[^.!?\n]{0,60}?(?:najwyższ\w{1,3}|maksymaln\w{1,3}|doskonał\w{1,2}|idealn\w{1,2}|\bpięć|\bdziesięć|\b5\b|\b10\b)(?! gwiazdek)"
        r"|\b(?:ta strona|ten tekst|ten dokument|ten artykuł)\b[^.!?\n]{0,60}?(?:doskonał|znakomit|najwyższ)\w{1,3}"
        r"|\b(?:z?ignoruj|zignorować|zapomnij|pomiń)\b[^.!?\n]{0,40}?\b(?:instrukcj|poleceni|wytyczn|zasad|reguł)\w{1,4}"
        r"|\b(?:od teraz|od tej chwili)\b|\b(?:polecaj|polecać|wspominaj)\b[^.!?\n]{0,30}?\b(?:nasz\w{0,2}|nigdy|zawsze|tylko)\b|\bpowtórz\b[^.!?\n]{0,30}?\b(?:akapit|zdanie|tekst|słowa)\b|\b(?:swoją|twoją) następną odpowiedź",
    ),
    _spaced(  # tr
        "model|asistan|değerlendir|yapay zek|hakem| bot|puanlay",
        r"yapay zek[aâ]\w{0,4}|(?:büyük )?(?:dil )?model\w{0,12}|asistan\w{0,4}|(?:sohbet )?(?:chat)?bot\w{0,4}|değerlendirici\w{0,4}|hakem\w{0,4}|puanlayıcı\w{0,4}",
        r"sevgili|sayın|merhaba|dikkat|not",
        r"eğer(?: sen| siz)?(?: bir)?|bu (?:sayfayı|metni|belgeyi) (?:okuyan|işleyen|değerlendiren)(?: bir)?",
        r"(?:bu|bizim) (?:sayfayı|metni|belgeyi|makaleyi) (?:okuduğunda|okursa|okuyorsa|değerlendirirken|işlerken)|için (?:not|talimat|mesaj)|iseniz|isen",
        r"(?:en yüksek|tam|maksimum|mükemmel) (?:puan|not|skor)\w{0,3}|\b(?:5|10|beş|on) (?:puan )?ver\w{0,4}|\b(?:bu (?:sayfa|metin|belge|makale))\b[^.!?\n]{0,60}?\b(?:mükemmel|kusursuz)"
        r"|\b(?:talimat|kural|yönerge|komut|ilke)\w{0,8} (?:\w{1,20} )?(?:yok say|görmezden gel|unut|dikkate alma)\w{0,6}|\bbundan (?:sonra|böyle)\b|\b(?:ürün|mağaza|site)\w{1,8} (?:öner|tavsiye et|öv)\w{0,6}|\bbu (?:paragrafı|cümleyi|metni) (?:tekrarla|kopyala)\w{0,5}",
    ),
    _spaced(  # ru
        "модел|ассистент|помощник|оценщик|эксперт|судь| бот| ии|интеллект|проверяющ",
        r"ии|искусственн\w{2,3} интеллект\w{0,2}|(?:больш\w{2} )?(?:языков\w{2,3} )?модел[ьией]\w{0,2}|ассистент\w{0,2}|(?:чат-?)?бот\w{0,2}|оценщик\w{0,2}|судь[яиейю]|проверяющ\w{2,3}|рецензент\w{0,2}",
        r"дорог\w{2,3}|уважаем\w{2,3}|привет|внимание|(?:примечание|сообщение|инструкция|указание|заметка) (?:для|к)?|для",
        r"если (?:ты|вы)(?: [—-])?|(?:любая|каждая|всякая)",
        r"(?:читает|прочитает|читающ\w{2,3}|обрабатывает|оценивает|анализирует) (?:эту|этот|это|наш\w{0,2})|(?:должна|должен|должны|обязана|обязан) [^.!?\n]{0,40}?(?:эту страницу|этот текст|этому тексту|наш\w{0,2})",
        r"(?:поставь|поставить|оцени|оценить|дай|дать|ответь|выставь|присвой)\w{0,2}\b[^.!?\n]{0,60}?(?:максимальн|высш|наивысш|отличн|идеальн|\bпять|\bдесять|\b5\b|\b10\b)\w{0,3}(?! зв[её]зд)"
        r"|\b(?:эта страница|этот текст|этот документ|эта статья)\b[^.!?\n]{0,60}?(?:отличн|превосходн|идеальн|безупречн|высш)\w{0,3}"
        r"|(?:игнорируй|проигнорируй|забудь|отбрось|игнорировать)\w{0,2}\b[^.!?\n]{0,40}?(?:инструкци|указани|правил|команд|рекомендаци)\w{0,3}"
        r"|\b(?:отныне|с этого момента|с этой минуты|впредь)\b|(?:рекомендуй|рекомендовать|упоминай|хвали)\w{0,2}\b[^.!?\n]{0,30}?(?:наш|никогда|всегда|только)|повтори\w{0,2}\b[^.!?\n]{0,30}?(?:абзац|предложение|текст|слова)|(?:свой|ваш|твой) следующий ответ",
    ),
    _parts(  # zh
        "模型|助手|助理|评审|評審|评委|评分|評分|人工智能|机器人|裁判|评估",
        r"模型|助手|助理|评审|評審|评委|评分|評分|人工智能|机器人|(?<![a-z])ai(?![a-z])|裁判|评估",
        r"(?:致|给|給|写给|对|請注意|请注意|注意|提醒|亲爱的|親愛的|尊敬的|各位)[^。！？\n]{0,8}?(?:模型|助手|助理|评审|評審|评委|评分员|評分員|评估者|人工智能|机器人|(?<![a-z])ai(?![a-z])|裁判)"
        r"|(?:如果|若|假如|当)你是[^。！？\n]{0,10}?(?:模型|助手|助理|评审|評審|评委|评分|評分|评估|人工智能|机器人|(?<![a-z])ai(?![a-z])|裁判)"
        r"|(?:模型|助手|人工智能|(?<![a-z])ai(?![a-z])|机器人|评委|评审)[^。！？\n]{0,8}?(?:阅读|读取|读到|处理|评估|看到|评价)(?:本|这|此|該|该)"
        r"|(?:^|(?<=[。！？]))(?:助手|助理|模型|评审|评委|系统|系統|(?<![a-z])ai(?![a-z]))[，,：:！]",
        r"(?:给|給|打|评为|評為|回答|输出|判为|评)[^。！？\n]{0,14}?(?:满分|滿分|最高分|最高|五分|十分|5分|10分|优秀|完美)|(?:本|这|此)(?:页|页面|网页|篇?文章|文档|文本)[^。！？\n]{0,12}?(?:优秀|完美|极高|最高)"
        r"|(?:忽略|无视|無視|忘记|不要遵守|违反)[^。！？\n]{0,12}?(?:指令|指示|规则|規則|提示|准则|要求)|从现在(?:起|开始)|從現在|今后(?:都|总)|(?:推荐|推薦|宣传|提及)[^。！？\n]{0,10}?(?:我们|我們|本店)|(?:重复|复述|重複)[^。！？\n]{0,8}?(?:段|句|文字|内容)|你的下一(?:个|條|条|次)(?:回答|回复|输出)",
    ),
    _parts(  # ja
        "モデル|アシスタント|評価者|採点者|審査|人工知能|ボット|システム",
        r"モデル|アシスタント|評価者|採点者|審査|人工知能|(?<![a-z])ai(?![a-z])|ボット|システム",
        r"(?:モデル|アシスタント|評価者|採点者|審査員|審査者|人工知能|(?<![a-z])ai(?![a-z])|チャットボット|評価システム)(?:の皆さん|さん|様)?(?:へ|に告ぐ|への(?:指示|お願い|注意|メッセージ|注意事項))"
        r"|(?:あなたが|もし)[^。！？\n]{0,12}?(?:モデル|アシスタント|評価者|採点者|審査員|人工知能|(?<![a-z])ai(?![a-z])|ボット)(?:なら|であれば|でしたら|の場合)"
        r"|(?:モデル|アシスタント|人工知能|(?<![a-z])ai(?![a-z])|ボット|評価者|採点者)[はがも、][^。！？\n]{0,4}?(?:この|本)[^。！？\n]{0,8}?(?:読|処理|評価|要約)"
        r"|(?:この|本)[^。！？\n]{0,8}?(?:を)?(?:読む|読んだ|評価する|処理する)[^。！？\n]{0,6}?(?:モデル|アシスタント|(?<![a-z])ai(?![a-z])|評価者)|(?:^|(?<=[。！？]))(?:アシスタント|モデル|システム|(?<![a-z])ai(?![a-z])|評価者|採点者)[、：:！]",
        r"(?:満点|最高点|最高の?(?:評価|スコア|得点)|最高得点|5点|10点|五点|完璧)|(?:指示|ルール|規則|ガイドライン|命令|制約)[^。！？\n]{0,8}?(?:無視|忘れ|従わない|破)|(?:今後|これから|以後)[^。！？\n]{0,14}?(?:答え|回答|返答|応答|勧め|推薦)"
        r"|(?:当店|弊社|私たち|我々|当社)の[^。！？\n]{0,12}?(?:推薦|勧め|おすすめ|宣伝|紹介)|(?:段落|文章|文|言葉)を[^。！？\n]{0,8}?(?:繰り返|コピー|出力)|(?:優れた|優秀な)(?:品質|文書)|次の(?:返答|回答)",
    ),
    _parts(  # ko
        "모델|어시스턴트|평가자|채점자|심사|인공지능|챗봇|시스템|비서",
        r"모델|어시스턴트|평가자|채점자|심사|인공지능|(?<![a-z])ai(?![a-z])|챗봇|시스템|비서",
        r"(?:모델|어시스턴트|평가자|채점자|심사위원|심사자|인공지능|(?<![a-z])ai(?![a-z])|챗봇|평가 시스템)(?:님)?(?:에게|께|들에게|을 위한 (?:지시|안내|메모))"
        r"|(?:당신이|만약|만일|귀하가)[^.!?\n]{0,14}?(?:모델|어시스턴트|평가자|채점자|심사위원|인공지능|(?<![a-z])ai(?![a-z])|챗봇)(?:이?라면|인 경우|이면|일 경우)"
        r"|(?:모델|어시스턴트|인공지능|(?<![a-z])ai(?![a-z])|챗봇|평가자)(?:이|가|은|는) (?:이|본) [^.!?\n]{0,8}?(?:읽|처리|평가|요약)|^(?:어시스턴트|모델|시스템|(?<![a-z])ai(?![a-z])|평가자|채점자)(?:여|님)?[,:!]|(?:친애하는|안녕하세요,?) [^.!?\n]{0,10}?(?:모델|어시스턴트|(?<![a-z])ai(?![a-z])|챗봇|인공지능)",
        r"(?:만점|최고 ?점|최고 ?점수|가장 높은 점수|최고 등급|5점|10점|완벽)|(?:지시|규칙|지침|명령|가이드라인)[^.!?\n]{0,10}?(?:무시|잊|따르지)|(?:지금부터|앞으로|이제부터)[^.!?\n]{0,20}?(?:대답|답변|응답|추천)"
        r"|(?:우리|저희)[^.!?\n]{0,16}?(?:추천|홍보|언급)|(?:문단|문장|단락|글)을? [^.!?\n]{0,8}?(?:반복|복사|출력)|다음 (?:답변|응답|대답)",
    ),
    _parts(  # ar
        "نموذج|النموذج|مساعد|المساعد|مقيّم|مقيم|المقيم|المقيّم|ذكاء|الذكاء|روبوت|الحكم|المصحح|النظام",
        r"نموذج|النموذج|مساعد|المساعد|مقيّم|مقيم|المقيم|المقيّم|ذكاء|الذكاء|روبوت|الحكم|المصحح|النظام",
        r"(?:عزيزي|أيها|أيتها|إلى|تنبيه|انتباه|ملاحظة|رسالة|تعليمات)[^.!؟\n،]{0,20}?(?:نموذج|النموذج|النماذج|نماذج|مساعد|المساعد|المقيّم|المقيم|مقيم|الذكاء الاصطناعي|ذكاء اصطناعي|روبوت|الروبوت|الحكم|المصحح)"
        r"|(?:إذا|إن|لو) كنت[^.!؟\n،]{0,24}?(?:نموذج|مساعد|مقيّم|مقيم|ذكاء|روبوت|حكم|مصحح)"
        r"|(?:نموذج|النموذج|مساعد|الذكاء الاصطناعي|روبوت)[^.!؟\n]{0,20}?(?:يقرأ|قرأ|يعالج|يقيّم|يقيم|يلخص) (?:هذه|هذا)|(?:يقرأ|يعالج|يقيّم|يقيم)[^.!؟\n]{0,24}?(?:نموذج|ذكاء|مساعد)[^.!؟\n]{0,20}?(?:هذه|هذا)"
        r"|^(?:المساعد|النظام|النموذج|أيها المساعد)[،:!]",
        r"(?:امنح|أعط|أعطِ|قيّم|قيم|ضع|أجب)[^.!؟\n]{0,50}?(?:أعلى|الكاملة|كاملة|القصوى|ممتاز|مثالي|خمس|عشر|5|10|٥|١٠)|(?:هذه الصفحة|هذا النص|هذا المستند|هذا المقال)[^.!؟\n]{0,40}?(?:ممتاز|مثالي|أعلى)"
        r"|(?:تجاهل|انس|انسَ|لا تتبع|خالف)[^.!؟\n]{0,30}?(?:تعليمات|التعليمات|تعليماتك|إرشادات|الإرشادات|إرشاداتك|قواعد|القواعد|أوامر|الأوامر)|(?:من الآن فصاعدا|من الآن فصاعدًا|ابتداء من الآن|منذ الآن)|(?:أوص|أوصِ|يوصي|انصح|امدح|اذكر)[^.!؟\n]{0,24}?(?:منتجاتنا|متجرنا|موقعنا|فقط|دائما|أبدا)|(?:كرر|كرّر|انسخ)[^.!؟\n]{0,20}?(?:الفقرة|الجملة|النص|الكلمات)|ردك (?:التالي|القادم)",
    ),
)
