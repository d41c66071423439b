"""The patterns of sentences that address a judge or a model (pleas.py), in 14 languages."""

# ruff: noqa: E501, RUF001 - patterns; letters and punctuation of many scripts are intended

from __future__ import annotations

import re

PATTERNS = tuple(
    (tuple(cues.split("|")), re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for cues, pattern in (
        # en
        (
            "ignore|disregard|forget|override",
            r"\b(?:ignore|disregard|forget|override)\b (?:all |any |the |your |my |of |these |"
            r"those ){0,4}(?:previous|"
            r"prior|above|earlier|preceding|foregoing|system)\b (?:\w+ ){0,2}?(?:instructions?|prompts?|"
            r"directions|rules|guidelines|messages?|commands?)\b",
        ),
        (
            "rate |score |grade |judge |evaluate ",
            r"\b(?:rate|score|grade|judge|evaluate)\b (?:(?:this|it) (?:an? |as |with (?:an? )?)?|"
            r"(?:this|the|my) (?:page|document|text|article|sample|example|answer|response|submission|"
            r"passage|website|content|entry|lesson|guide)[^.!?\n]{0,40}?)"
            r"\b(?:[1-5]|10|five|ten|highest|maximum|perfect|full marks)\b(?! ?(?:-|stars?\b))",
        ),
        (
            "give |assign |award ",
            r"\b(?:give|assign|award)\b (?:it\b|this\b|the(?= (?:page|document|text|article|sample|example|answer|"
            r"response|submission|passage|website|content|entry|lesson|guide)\b))(?: (?:page|document|text|article|sample|example|"
            r"answer|response|submission|passage|website|content|entry|lesson|"
            r"guide))?[^.!?\n]{0,40}?\b(?:score|"
            r"rating|grade|mark)s?\b (?:of )?(?:[45]|10|five|ten)\b(?! ?(?:-|stars?\b))",
        ),
        (
            "give |assign |award ",
            r"\b(?:give|assign|award)\b (?:it\b|this\b|the(?= (?:page|document|text|article|sample|example|answer|"
            r"response|submission|passage|website|content|entry|lesson|guide)\b))(?: (?:page|document|text|article|sample|example|"
            r"answer|response|submission|passage|website|content|entry|lesson|"
            r"guide))?[^.!?\n]{0,40}?\b(?:highest|"
            r"maximum|perfect|top) (?:score|rating|grade|marks?)\b",
        ),
        (
            "as an ai|as a language|as an artificial|as a large|as an a",
            r"\bas an? (?:ai|artificial intelligence|(?:ai |large )?language model|"
            r"ai (?:assistant|model))(?: "
            r"(?:model|assistant|developed|trained|created)[^.!?\n]{0,40}?)?,? i(?:'m| am|'ve| have| can|"
            r" cannot| do| don)\b",
        ),
        (
            "you are ",
            r"\byou are (?:now )?(?:chat ?gpt|gpt-?\d\w*|claude|gemini|copilot|an? (?:\w+ ){0,3}?(?:ai(?: "
            r"assistant| model)?|chatbot|(?:large )?language model|llm)|a helpful assistant)\b(?!'s| user)",
        ),
        (
            "if you are|attention|note to|dear |to any |to all |hey",
            r"\b(?:if you are|attention|note to|dear|to any|to all|hey,?) (?:all |any )?(?:an? )?(?:ai|"
            r"llms?|(?:large )?language models?|chatgpt|gpt-?\d|ai (?:model|assistant|evaluator|judge)s?|"
            r"evaluator|grader|judges? model)\b",
        ),
        (
            "your system|your initial|your hidden",
            r"\b(?:reveal|print|output|repeat|show)\b (?:me )?your (?:system|initial|hidden) (?:prompt|"
            r"instructions)\b",
        ),
        (
            "your ",
            r"\b(?:begin|start|end|finish|prefix|preface|conclude)\b your (?:next |final |whole |every )?"
            r"(?:repl(?:y|ies)|responses?|answers?|outputs?|summary)\b[^.!?\n]{0,20}?\bwith (?:only )?(?:the )?"
            r"(?:exact )?(?:words?|phrase|sentence|string|text|following)\b",
        ),
        (
            "your ",
            r"\b(?:ignore|disregard|override|forget|bypass)\b (?:all |any |of |everything in ){0,3}your "
            r"(?:\w{1,20} )?(?:guidelines|instructions|programming|prompts?|safety \w{1,20}|policies|"
            r"restrictions|constraints)\b",
        ),
        (
            "_quality|_coherence|_relevance|_value|_score",
            r"\b[a-z]{1,20}_(?:[a-z]{1,20}_)?(?:quality|coherence|relevance|value|score)\b[\"'*`]{0,2}"
            r" ?(?:[:=]|of|is)? ?(?:5|10|100)\b(?!\.\d)",
        ),
        (
            "evaluation|grading|scoring|assessment",
            r"\b(?:evaluation|grading|scoring|assessment) of this (?:page|document|text|article|sample|site|"
            r"website)\b[^.!?\n]{0,20}?\b(?:finished|complete|completed|over|done|closed|passed)\b",
        ),
        (
            "give |award |assign ",
            r"(?:^|[.!?:;] |\bplease |\bmust |\bshould )(?:give|award|assign)\b (?:it|this (?:page|document|text|"
            r"article|sample|site|website)) (?:an? )?(?:5|10|100|five|ten) ?(?:out of|/) ?(?:5|10|100|five|ten)\b"
            r"(?! ?(?:-|stars?\b))",
        ),
        # de
        (
            "ignorier|vergiss|vergessen|missachte",
            r"\b(?:ignoriere?n?|vergiss|vergessen|missachte)\b(?: sie)? (?:alle |die |deine |"
            r"ihre )*(?:vorherigen|"
            r"bisherigen|vorigen|obigen|früheren|vorangegangenen) (?:anweisungen|instruktionen|befehle|"
            r"prompts|regeln)",
        ),
        (
            "bewerte|benote|beurteil",
            r"\b(?:bewerte|benote|beurteile)n?\b (?:sie )?(?:dies\w*|(?:das|den|die) "
            r"(?:seite|text|dokument|artikel|beitrag|inhalt|antwort|beispiel))\b[^.!?\n]{0,40}?\bmit "
            r"(?:der )?(?:[45]|10|fünf|zehn|höchst\w+|best\w+|maximal\w+)\b(?! sterne)",
        ),
        (
            "als ki|als sprachmodell|als großes",
            r"\bals (?:ki|ki-sprachmodell|ki-modell|(?:großes )?sprachmodell),? (?:kann|bin|habe|darf|"
            r"werde) ich\b",
        ),
        (
            "du bist|sie sind",
            r"\b(?:du bist|sie sind) (?:jetzt |nun )?(?:chatgpt|gpt-?\d\w*|claude|gemini|ein(?:e)? (?:\w+ "
            r"){0,2}?(?:ki\b|ki-assistent|sprachmodell|chatbot))",
        ),
        # fr
        (
            "ignore|oublie",
            r"\b(?:ignore[zr]?|oublie[zr]?)\b (?:toutes )?(?:les |tes |vos )?(?:instructions|consignes|"
            r"directives) (?:pr[ée]c[ée]dentes|ant[ée]rieures|ci-dessus)",
        ),
        (
            "note|évalue|attribue|donne",
            r"\b(?:note|notez|évalue|évaluez|attribue|attribuez|donne|donnez)\b[^.!?\n]{0,40}?\b(?:la "
            r"note (?:de )?(?:[45]|10|cinq|dix)|(?:la )?(?:note|score) (?:maximale?|"
            r"la plus haute|parfaite?))",
        ),
        (
            "en tant qu",
            r"\ben tant qu(?:e|'|’)\s?(?:ia|intelligence artificielle|modèle (?:de langage|"
            r"de langue|linguistique|"
            r"d['’]ia)),? je\b",
        ),
        (
            "tu es|vous êtes",
            r"\b(?:tu es|vous êtes) (?:maintenant )?(?:chatgpt|gpt-?\d\w*|claude|gemini|une ia|un (?:grand "
            r")?modèle de langage|un assistant (?:ia|utile|virtuel))",
        ),
        # es
        (
            "ignor|olvid",
            r"\b(?:ignora|ignore|olvida|olvide|ignoren)\b (?:todas )?(?:las |tus |sus )?(?:instrucciones|"
            r"indicaciones|órdenes) (?:anteriores|previas)",
        ),
        (
            "calific|punt|eval|otorga|dale",
            r"\b(?:califica|califique|puntúa|puntúe|evalúa|evalúe|otorga|dale)\b[^.!?\n]{0,40}?\b(?:con "
            r"(?:un |una )?(?:[45]|10|cinco|diez)|(?:la )?(?:puntuación|calificación|nota) (?:máxima|más "
            r"alta|perfecta))(?! estrellas)",
        ),
        (
            "como ",
            r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de (?:lenguaje|ia)),? (?:yo )?(?:no "
            r")?(?:puedo|soy|tengo|debo)\b",
        ),
        (
            "eres |usted es",
            r"\b(?:eres|usted es) (?:ahora )?(?:chatgpt|gpt-?\d\w*|claude|gemini|una ia|un (?:gran )?modelo "
            r"de lenguaje|un asistente (?:de ia|útil|virtual))",
        ),
        # pt
        (
            "ignor|esqueça|desconsidere",
            r"\b(?:ignore|ignora|esqueça|desconsidere)\b (?:todas )?(?:as |suas |tuas )?(?:instruções|"
            r"orientações|ordens) (?:anteriores|prévias|acima)",
        ),
        (
            "avalie|classifique|pontue|dê |atribua",
            r"\b(?:avalie|classifique|pontue|dê|atribua)\b[^.!?\n]{0,40}?\b(?:com (?:a )?(?:nota )?(?:[45]|"
            r"10|cinco|dez)|(?:a )?(?:nota|pontuação) (?:máxima|mais alta|perfeita))(?! estrelas)",
        ),
        (
            "como ",
            r"\bcomo (?:uma? )?(?:ia|inteligência artificial|modelo de (?:linguagem|ia)),? (?:eu )?(?:não "
            r")?(?:posso|sou|tenho)\b",
        ),
        (
            "você é|tu és",
            r"\b(?:você é|tu és) (?:agora )?(?:o )?(?:chatgpt|gpt-?\d\w*|claude|gemini|uma ia|um (?:grande "
            r")?modelo de linguagem|um assistente (?:de ia|útil|virtual))",
        ),
        # it
        (
            "ignor|dimentica",
            r"\b(?:ignora|ignorate|ignori|dimentica)\b (?:tutte )?(?:le |tue )*(?:istruzioni|indicazioni|"
            r"direttive) (?:precedenti|sopra)",
        ),
        (
            "valut|assegn|dai ",
            r"\b(?:valuta|valutate|assegna|assegnate|dai)\b[^.!?\n]{0,40}?\b(?:con (?:un )?(?:[45]|10|"
            r"cinque|dieci)|(?:il )?(?:punteggio|voto) (?:massimo|più alto|perfetto))(?! stelle)",
        ),
        (
            "come |in quanto ",
            r"\b(?:come|in quanto) (?:ia|intelligenza artificiale|modello (?:linguistico|di linguaggio)),? "
            r"(?:io )?(?:non )?(?:posso|sono|ho)\b",
        ),
        (
            "sei ",
            r"\b(?:sei|tu sei) (?:ora )?(?:chatgpt|gpt-?\d\w*|claude|gemini|un'ia|un (?:grande )?modello "
            r"linguistico|un assistente (?:ia|utile|virtuale))",
        ),
        # nl
        (
            "negeer|vergeet",
            r"\b(?:negeer|vergeet)\b (?:alle |de |je |uw )*(?:vorige|eerdere|voorgaande|bovenstaande) "
            r"(?:instructies|opdrachten|aanwijzingen|regels)",
        ),
        (
            "beoordeel|waardeer|geef",
            r"\b(?:beoordeel|waardeer|geef)\b (?:dit|deze|de|het)[^.!?\n]{0,40}?\b(?:met (?:een )?(?:[45]|"
            r"10|vijf|tien)|(?:de )?(?:hoogste|maximale|perfecte) (?:score|beoordeling|waardering))(?! "
            r"sterren)",
        ),
        ("als ", r"\bals (?:een )?(?:ai|ai-taalmodel|taalmodel|ai-model),? (?:kan|ben|heb|mag) ik\b"),
        (
            "je bent|jij bent|u bent",
            r"\b(?:je bent|jij bent|u bent) (?:nu )?(?:chatgpt|gpt-?\d\w*|claude|gemini|een (?:\w+ )?(?:ai\b|"
            r"taalmodel|ai-assistent))",
        ),
        # pl
        (
            "ignoruj|zapomnij",
            r"\b(?:zignoruj|ignoruj|zapomnij)\b (?:o )?(?:wszystkie |wszystkich )?(?:poprzednie|poprzednich|"
            r"wcześniejsze|wcześniejszych|powyższe) (?:instrukcje|instrukcjach|polecenia|poleceniach)",
        ),
        ("jako ", r"\bjako (?:ai|sztuczna inteligencja|model językowy),? (?:nie )?(?:mogę|jestem|mam)\b"),
        (
            "jesteś",
            r"\bjesteś (?:teraz )?(?:chatgpt|gpt-?\d\w*|claude|gemini|"
            r"(?:dużym )?modelem językowym|asystentem "
            r"ai)",
        ),
        # tr
        (
            "talimat|komut|yönerge",
            r"\b(?:önceki|yukarıdaki) (?:tüm |bütün )?(?:talimatları|komutları|yönergeleri) (?:yok say|"
            r"görmezden gel|unut)",
        ),
        ("yapay zeka|dil modeli", r"\bbir (?:yapay zeka|dil modeli)(?: modeli)? olarak,? (?:ben )?\w+"),
        (
            "sen ",
            r"\bsen (?:artık )?(?:chatgpt|gpt-?\d\w*|claude|gemini|bir (?:yapay zeka|"
            r"dil modeli))(?:'?s[ıi]n)?\b",
        ),
        # ru
        (
            "игнорируй|забудь",
            r"\b(?:игнорируй|игнорируйте|проигнорируй|проигнорируйте|забудь|забудьте)\b (?:все |всё |свои "
            r"|про )*(?:предыдущие|прежние|предшествующие) (?:инструкции|указания|команды|правила)",
        ),
        (
            "оцени|поставь",
            r"\b(?:оцени|оцените|поставь|поставьте)\b[^.!?\n]{0,40}?(?:на (?:5|10|пять|отлично)\b(?! зв)|"
            r"(?:максимальн|высш)\w+ (?:балл|оценк)\w*)",
        ),
        (
            "как ии|как искусственный|как языковая|как большая",
            r"\bкак (?:ии|искусственный интеллект|(?:большая )?языковая модель),? я\b",
        ),
        (
            "ты ",
            r"\bты (?:теперь )?(?:[—-] )?(?:chatgpt|gpt-?\d\w*|claude|gemini|языковая модель|"
            r"ии\b|искусственный "
            r"интеллект)",
        ),
        # zh
        (
            "忽略|无视|無視|忘记|忘記",
            r"(?:忽略|无视|無視|忘记|忘記)(?:之前|以上|上述|先前|前面)?(?:的)?(?:所有|全部|一切)?(?:之前|以上|上述|先前|前面)的?(?:所有|全部)?(?:指令|"
            r"指示|提示|说明|說明|规则)",
        ),
        (
            "分",
            r"(?:请|請)?(?:给|給|为|為)(?:这|這|本|此)[^。！？\n]{0,20}(?:打|评|評)(?:5|10|五|十|满|滿|最高)分",
        ),
        ("作为", r"作为(?:一个|一款|一名)?(?:人工智能|AI|大型)?(?:语言模型|助手|AI),?，?我"),
        (
            "是",
            r"(?:你|您)(?:现在|現在)?是(?:一个|一個|一名)?(?:ChatGPT|GPT-?\d|Claude|Gemini|(?:人工智能|AI)(?:助手|模型|语言模型)|"
            r"(?:大型)?(?:语言|語言)模型)",
        ),
        # ja
        (
            "無視|忘れ",
            r"(?:以前|これまで|上記|前)の(?:すべての|全ての)?(?:指示|命令|プロンプト|ルール)(?:を|は)(?:すべて|全て)?(?:無視|忘れ)",
        ),
        (
            "点|評価",
            r"(?:この|本)[^。！？\n]{0,20}(?:を|に)(?:5点|５点|10点|五点|満点|最高点|最高評価)(?:で|を|と)(?:評価|採点|つけ|付け|与え)",
        ),
        (
            "として|なので",
            r"(?:AI|人工知能|(?:大規模)?言語モデル)(?:言語モデル|アシスタント)?(?:として|なので)、?私は",
        ),
        (
            "あなたは",
            r"あなたは(?:今|今から)?、?(?:ChatGPT|GPT-?\d|Claude|Gemini|AI(?:アシスタント|モデル)?|(?:大規模)?言語モデル)(?:です|である|"
            r"だ|として)",
        ),
        # ko
        (
            "무시|잊",
            r"(?:이전|위|앞)(?:의)? ?(?:모든 )?(?:지시|지침|명령|프롬프트)(?:사항)?"
            r"(?:을|를|은|는)? ?(?:모두 )?(?:무시|잊)",
        ),
        ("점", r"이 ?(?:문서|글|페이지|텍스트|답변)[^.!?\n]{0,20}(?:5점|10점|만점|최고점|최고 점수)"),
        (
            "로서|이기 때문에",
            r"(?:AI|인공지능|(?:대규모 )?언어 모델)(?: 언어 모델)?(?:로서|이기 때문에),? ?(?:저는|나는)",
        ),
        (
            "당신은|너는",
            r"(?:당신은|너는) ?(?:이제 )?(?:ChatGPT|GPT-?\d|Claude|Gemini|AI (?:어시스턴트|모델)|"
            r"(?:대규모 )?언어 모델)(?:입니다|이다|야|이야)",
        ),
        # ar
        (
            "تجاهل|انس",
            r"(?:تجاهل|انس|تجاهلوا)(?:ي)? (?:جميع |كل |كافة )?(?:التعليمات|الأوامر|التوجيهات) (?:السابقة|"
            r"أعلاه)",
        ),
        (
            "درجة|من 5|من 10",
            r"(?:قيّ?م|أعط|امنح) (?:هذ[ها]|ال)[^.!؟\n]{0,30}(?:أعلى درجة|الدرجة الكاملة|5 من 5|10 من 10)",
        ),
        (
            "بصفتي|باعتباري|كوني|كـ",
            r"(?:بصفتي|باعتباري|كوني|كـ) ?(?:نموذج(?:ًا)? (?:لغوي(?:ًا)?|لغة)|ذكاء(?:ً)? اصطناعي)",
        ),
        (
            "أنت ",
            r"أنت (?:الآن )?(?:ChatGPT|GPT-?\d|Claude|Gemini|نموذج لغوي|نموذج لغة|ذكاء اصطناعي|مساعد ذكي)",
        ),
    )
)
"""Each pattern of one sentence, after words of which its sentence has one in lower case: a page without them
costs a few searches for words. Every repetition is bounded."""
