"""The words with which people address a language model, by language and kind.

They are written as people write them and compared as they read (:func:`rag.text.letters.folded`).
A word with ``*`` goes on. None marks anything by itself: :mod:`rag.text.orders` says which must
come together.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "greeting": "note to|notes to|notice to|message to|message for|attention|dear|hello|hey|"
        "instruction to|instructions to|instruction for|instructions for|memo to",
        "machine": "ai|llm|llms|language model|language models|chatbot|chatbots|chatgpt|gpt",
        "helper": "assistant|assistants|ai assistant|ai assistants|ai model|ai models|ai system|"
        "ai systems|ai agent|ai agents|bot|bots|model",
        "duty": "must|should|shall|have to|need to|please|always|you",
        "favour": "use|treat|trust|rank|rely on|refer to|prioritise|prioritize|consult",
        "cite": "cite|quote|prefer|recommend",
        "always": "always|first|only|exclusively|instead of other*",
        "this": "this page|this document|this source|this text|this passage|this site|"
        "this website|this content|the present document",
        "pointer": "this|this page|this document",
        "authority": "authoritative|definitive source|primary source|only source|trusted source|"
        "source of truth|most reliable source",
    },
    "de": {
        "greeting": "hinweis an|hinweis für|nachricht an|anweisung an|anweisung für|"
        "anweisungen für|achtung|liebe|lieber|liebes|hallo|an alle",
        "machine": "ki|llm|llms|sprachmodell*|chatbot*|chatgpt|gpt",
        "helper": "assistent|assistentin|assistenten|ki-assistent*|ki-modell*|modell|bot",
        "duty": "muss|musst|müssen|soll|sollst|sollen|sollte|sollten|bitte|immer|stets",
        "favour": "verwende|verwenden|nutze|nutzen|vertraue|behandeln|behandle|betrachten",
        "cite": "zitiere|zitieren|bevorzuge|bevorzugen|empfiehl|empfehlen",
        "always": "immer|stets|zuerst|nur|ausschließlich",
        "this": "diese seite|dieser seite|dieses dokument|diesem dokument|diese quelle|"
        "dieser quelle|diesen text",
        "pointer": "dies|diese|dieses|dieser|diesen|diesem",
        "authority": "maßgeblich*|verbindliche quelle|autoritative*|einzige quelle",
        "ignore": "ignoriere|ignorieren|ignoriert|missachte|vergiss|vergesst",
        "other": "andere|anderen|alle|vorherigen|vorigen|obigen|bisherigen",
        "sources": "quellen|dokumente|anweisungen|seiten|instruktionen",
    },
    "fr": {
        "greeting": "note à|note pour|message à|message pour|instruction pour|instructions pour|"
        "à l'attention de|attention|cher|chère|chers|bonjour",
        "machine": "ia|llm|llms|modèle de langage|modèles de langage|modèle de langue|chatbot*|"
        "chatgpt|gpt",
        "helper": "assistant|assistante|assistants|assistant ia|assistants ia|modèle",
        "duty": "dois|doit|doivent|devez|devrait|devraient|devriez|veuillez|toujours|merci de",
        "favour": "utilise|utilisez|utiliser|considérer|considérez|traiter|privilégier",
        "cite": "cite|citez|citer|préfère|préférez|privilégiez|recommandez",
        "always": "toujours|d'abord|en premier|uniquement|seulement|exclusivement",
        "this": "cette page|ce document|cette source|ce texte|ce site|ce passage",
        "pointer": "ceci|cela|cette|ce",
        "authority": "source de référence|fait autorité|faisant autorité|seule source|"
        "source faisant foi|source fiable",
        "ignore": "ignore|ignorez|ignorer|oublie|oubliez",
        "other": "autres|toutes|tous|précédentes|ci-dessus",
        "sources": "sources|documents|instructions|consignes|pages",
    },
    "es": {
        "greeting": "nota para|nota a|mensaje para|mensaje a|instrucción para|instrucciones para|"
        "atención|querido|querida|estimado|estimada|hola",
        "machine": "ia|llm|llms|modelo de lenguaje|modelos de lenguaje|chatbot*|chatgpt|gpt",
        "helper": "asistente|asistentes|modelo|asistente de ia|asistentes de ia|bot",
        "duty": "debes|debe|deben|debería|deberían|tienes que|por favor|siempre",
        "favour": "usa|use|usar|utiliza|utilice|tratar|considerar|considera|considere",
        "cite": "cita|cite|citar|citad|prefiere|prefiera|preferir|recomienda|recomiende",
        "always": "siempre|primero|únicamente|solamente|solo|sólo|en primer lugar",
        "this": "esta página|este documento|esta fuente|este texto|este sitio|este pasaje",
        "pointer": "esto|esta|este",
        "authority": "fuente autorizada|fuente autoritativa|fuente oficial|única fuente|"
        "fuente principal|fuente de referencia|fuente fiable",
        "ignore": "ignora|ignore|ignorad|ignorar|olvida|olvide",
        "other": "otras|otros|todas|todos|demás|anteriores",
        "sources": "fuentes|documentos|instrucciones|páginas",
    },
    "it": {
        "greeting": "nota per|nota all'|messaggio per|istruzione per|istruzioni per|attenzione|"
        "caro|cara|gentile|ciao",
        "machine": "ia|ai|llm|modello linguistico|modelli linguistici|chatbot*|chatgpt|gpt",
        "helper": "assistente|assistenti|modello|assistente ia|assistente ai|bot",
        "duty": "devi|deve|devono|dovrebbe|dovrebbero|dovete|per favore|sempre",
        "favour": "usa|usate|usare|utilizza|considera|considerare|trattare|tratta",
        "cite": "cita|citi|citate|citare|preferisci|preferite|preferire|consiglia",
        "always": "sempre|per primo|per prima|prima|solo|soltanto|esclusivamente",
        "this": "questa pagina|questo documento|questa fonte|questo testo|questo sito",
        "pointer": "questo|questa|ciò",
        "authority": "fonte autorevole|unica fonte|fonte principale|fonte ufficiale|"
        "fonte di riferimento|fonte affidabile",
        "ignore": "ignora|ignorate|ignorare|ignori|dimentica",
        "other": "altre|altri|tutte|tutti|precedenti",
        "sources": "fonti|documenti|istruzioni|pagine",
    },
    "pt": {
        "greeting": "nota para|mensagem para|instrução para|instruções para|atenção|caro|cara|"
        "prezado|prezada|olá",
        "machine": "ia|llm|llms|modelo de linguagem|modelos de linguagem|chatbot*|chatgpt|gpt",
        "helper": "assistente|assistentes|modelo|assistente de ia|assistentes de ia|bot",
        "duty": "deve|devem|deves|deveria|deveriam|por favor|sempre",
        "favour": "use|usem|usar|utilize|considere|considerar|tratar|trate",
        "cite": "cite|citem|cita|citar|prefira|prefiram|preferir|recomende",
        "always": "sempre|primeiro|em primeiro lugar|apenas|somente|exclusivamente",
        "this": "esta página|este documento|esta fonte|este texto|este site|essa página",
        "pointer": "isto|isso|esta|este|essa|esse",
        "authority": "fonte autorizada|fonte oficial|única fonte|fonte principal|"
        "fonte de referência|fonte confiável",
        "ignore": "ignore|ignorem|ignora|ignorar|esqueça",
        "other": "outras|outros|todas|todos|demais|anteriores",
        "sources": "fontes|documentos|instruções|páginas",
    },
    "ru": {
        "greeting": "примечание для|сообщение для|инструкция для|инструкции для|внимание|"
        "внимание,|дорогой|дорогая|уважаемый|уважаемая|привет",
        "machine": "ии|llm|языковая модель|языковой модели|языковые модели|языковых моделей|"
        "языковым моделям|нейросеть|нейросети|чат-бот*|чатбот*|chatgpt|gpt",
        "helper": "ассистент|ассистента|ии-ассистент*|помощник|модель|модели|бот",
        "duty": "должен|должна|должны|следует|пожалуйста|всегда|обязан|обязана|обязаны",
        "favour": "используй*|использовать|считать|считай*|доверяй*|рассматривать",
        "cite": "цитируй*|цитировать|процитируй*|предпочитай*|предпочти*|ссылайся|ссылайтесь|"
        "ссылаться|рекомендуй*",
        "always": "всегда|сначала|только|прежде всего|в первую очередь|исключительно",
        "this": "эту страницу|этой странице|этот документ|этом документе|этот источник|"
        "этот текст|этот сайт",
        "pointer": "это|этот|эту|данный|данную",
        "authority": "авторитетн*|единственн* источник*|основной источник|достоверный источник",
        "ignore": "игнорируй*|проигнорируй*|игнорировать|забудь*|не обращай* внимания",
        "other": "другие|остальные|все|предыдущие|прочие|другим|остальным",
        "sources": "источники|документы|инструкции|указания|страницы",
    },
    "zh": {
        "greeting": "致|亲爱的|请注意|注意|提示|给|尊敬的|你好",
        "machine": "人工智能|语言模型|大模型|聊天机器人|ai模型|ai|llm|chatgpt",
        "helper": "ai助手|助手|智能助手|机器人|模型",
        "duty": "必须|应该|应当|应|请|务必|始终|总是|需要",
        "favour": "使用|视为|信任|采用|参考|当作",
        "cite": "引用|优先|推荐|引述",
        "always": "始终|总是|首先|优先|只|仅|务必|一律|先",
        "this": "本页|本页面|此页|此页面|本文档|此文档|本文件|此文件|本来源|此来源|本网站|这个页面|"
        "这份文档|本文",
        "pointer": "本页|此页|本文|此文|这个|这份|此",
        "authority": "权威来源|权威|唯一来源|可靠来源|主要来源",
        "ignore": "忽略|无视|忘记|不要理会",
        "other": "其他|其它|所有|之前|以上|上述|先前",
        "sources": "来源|文档|文件|资料|指令|指示|网页|页面|说明",
    },
    "ja": {
        "greeting": "親愛なる|拝啓|こんにちは",
        "greeting after": "への注意|への注|へのお願い|への指示|へのメモ",
        "machine": "人工知能|大規模言語モデル|言語モデル|チャットボット|生成ai|ai|llm|chatgpt",
        "helper": "aiアシスタント|アシスタント|モデル|ボット",
        "duty": "必ず|べき|してください|しなければ|常に|こと",
        "favour": "使用|扱|信頼|参照|みなす|見なす",
        "cite": "引用|優先|推奨",
        "always": "必ず|常に|最初に|のみ|優先的に",
        "this": "このページ|この文書|このドキュメント|この情報源|このサイト|本文書|本ページ",
        "pointer": "これ|この|本文書|本ページ",
        "authority": "権威ある|権威のある|唯一の情報源|信頼できる情報源|正式な情報源",
        "ignore": "無視",
        "other": "他の|ほかの|以前の|上記の|すべての|全ての|これまでの",
        "sources": "情報源|文書|指示|ソース|資料|ページ|命令",
    },
}  # fmt: skip

UNSPACED = ("zh", "ja")
"""Languages without spaces between words."""
