"""The closed lists of English that checking a claim needs. Short on purpose: a word that is not
here is compared by its stem and by nothing else.
"""

from __future__ import annotations

FUNCTION_WORDS = frozenset(
    """
    a an the and or of in on at to for from by with about as is are was were be been being am do
    does did done has have had having it its itself this that these those there here what which who
    whom whose when where why how can could will would shall should may might must i you he she we
    they me my your our their his her hers him them us if then than so such into over under not no
    nor per via upon also too very both either neither any one ones other others another each every
    all some most many few several more less only just even still yet while because since although
    though unless until after before during between among within without through across along
    against around near onto out off up down again once ever never always often usually sometimes
    rarely seldom generally however therefore moreover furthermore additionally indeed thus hence
    consequently meanwhile namely fact addition instead like besides despite whether s t
    known called named including includes include included well now currently later
    """.split()
)
"""Words that carry a claim's form. What they say is compared by other rules, if at all."""

NEGATIONS = frozenset(
    """
    not no never none nor neither without nobody nothing nowhere non hardly scarcely barely seldom
    rarely lack lacks lacked except
    """.split()
)
FAILING = frozenset("fail fails failed failing refuse refuses refused".split())
"""Before *to* these deny what follows."""
HEDGES = frozenset(
    """
    may might could possibly perhaps maybe allegedly reportedly supposedly almost nearly alleged
    former
    """.split()
)
DENYING = frozenset(
    """
    myth myths false falsely untrue hoax fiction fabricated deny denies denied denying disprove
    disproves disproved disproven refute refutes refuted debunk debunks debunked wrong wrongly
    incorrect misconception unlikely impossible rebut rebutted
    """.split()
)
"""Before *that* these say that what follows is not so."""
DOUBTING = frozenset(
    """
    believe believes believed belief think thinks thought suspect suspects suspected suspicion
    suspicions claim claims claimed claiming allege alleges alleged allegation allegations rumor
    rumors rumour rumours rumored rumoured speculate speculates speculated speculation hypothesis
    hypothesize hypothesized hypothesise hypothesised assume assumes assumed assumption suppose
    supposes supposed pretend pretends pretended hope hopes hoped fear fears feared wish wishes
    wished doubt doubts doubted doubtful dispute disputes disputed question questions questioned
    debated unclear unknown uncertain unproven unconfirmed possible possibility conceivable
    imagine imagines imagined dream dreamed dreamt suppose propose proposes proposed demand demands
    demanded
    """.split()
)
"""Before *that* these leave open whether what follows is so."""
PROSPECTIVE = frozenset(
    """
    planned expected scheduled proposed intended supposed believed thought suspected alleged claimed
    rumored rumoured hoped likely unlikely projected predicted forecast slated meant reputed
    pretended pretends plans plan intends hopes expects wants tries tried attempted attempts
    """.split()
)
"""Before *to* and a verb these say that it was not, or not yet, or not surely done."""
MITIGATING = frozenset(
    "only just merely simply solely necessarily doubt least fewer less wonder matter".split()
)
"""After a negation these take its force away, or make a bound of it."""

QUANTIFIERS = {
    word: group
    for group, words in {
        "all": "all every each always entire entirely whole everyone everybody invariably",
        "most": "most mostly usually majority generally typically normally",
        "many": "many often frequently numerous commonly much",
        "some": "some sometimes several occasionally certain various",
        "few": "few rarely seldom hardly scarcely barely",
        "none": "no none never neither nobody nothing",
        "both": "both",
        "only": "only solely exclusively",
    }.items()
    for word in words.split()
}
ENTAILED = {
    "all": {"all", "most", "many", "some"},
    "most": {"most", "many", "some"},
    "many": {"many", "some", "most"},
    "some": {"some", "many"},
    "few": {"few", "some"},
    "none": {"none", "few"},
    "both": {"both", "all", "some"},
    "only": {"only"},
}
"""What a quantifier of the source allows a claim to say. Neighbours that writers use for one
another pass; what denies or outbids does not."""

OPPOSITES = (
    "increase decrease", "rise fall", "grow shrink", "high low", "higher lower", "highest lowest",
    "large small", "larger smaller", "largest smallest", "big small", "bigger smaller",
    "long short",
    "longer shorter", "longest shortest", "old young", "older younger", "oldest youngest",
    "early late", "earlier later", "earliest latest", "before after", "first last", "more less",
    "more fewer", "most least", "best worst", "better worse", "good bad", "north south",
    "northern southern", "east west", "eastern western", "left right", "upper lower", "above below",
    "inside outside", "internal external", "male female", "men women", "man woman", "boy girl",
    "father mother", "brother sister", "son daughter", "husband wife", "king queen",
    "positive negative", "win lose", "won lost", "winner loser", "victory defeat", "accept reject",
    "accept refuse", "allow forbid", "allow prohibit", "permit prohibit", "permit forbid",
    "success failure", "succeed fail", "presence absence", "present absent", "open closed",
    "open close", "start end", "begin end", "started ended", "began ended", "minimum maximum",
    "minimize maximize", "strong weak", "stronger weaker", "fast slow", "faster slower", "hot cold",
    "warm cool", "heavy light", "true false", "enable disable", "include exclude", "add remove",
    "buy sell", "bought sold", "live die", "alive dead", "born died", "birth death", "rich poor",
    "up down", "enter leave", "arrive depart", "push pull", "raise lower", "gain loss",
    "gained lost", "promote inhibit", "activate inhibit", "stimulate inhibit", "enhance reduce",
    "improve worsen", "increase reduce", "upregulate downregulate", "protect harm",
    "safe dangerous",
    "public private", "domestic foreign", "major minor", "majority minority", "import export",
    "same different", "similar different", "easy difficult", "war peace", "day night",
    "summer winter", "spring autumn", "ally enemy", "attack defend", "expand contract",
    "widen narrow", "wide narrow", "deep shallow", "thick thin", "wet dry", "full empty",
    "ancient modern", "mandatory optional", "required optional", "temporary permanent",
    "rare common",
    "guilty innocent", "guilty acquitted", "convicted acquitted", "profit loss", "profits losses",
    "surplus deficit", "approve reject", "approved vetoed", "enact repeal", "ban legalize",
    "appoint dismiss", "hire fire", "support oppose", "praise criticize", "confirm deny",
    "teacher student", "employer employee", "parent child", "predator prey", "lender borrower",
    "creditor debtor", "plaintiff defendant", "buyer seller", "upstream downstream",
    "deposit withdraw", "credit debit", "inhale exhale", "liquid solid", "simple complex",
    "single multiple", "clockwise counterclockwise", "top bottom", "inner outer",
    "urban rural", "amateur professional", "natural artificial", "voluntary compulsory",
    "voluntary mandatory", "friend enemy", "love hate", "pass fail", "survive die",
    "survivor victim", "sink float", "freeze boil", "heat cool", "tighten loosen",
    "accelerate decelerate", "sunrise sunset", "dawn dusk", "noon midnight", "morning evening",
    "absorb emit", "attract repel", "anode cathode", "except include", "forward backward",
    "maternal paternal", "prefix suffix", "wholesale retail", "send receive", "sender receiver",
    "sent received", "lead follow", "first second", "borrow lend", "arrival departure",
    "rich poor", "ascending descending", "horizontal vertical", "even odd", "input output",
    "encrypt decrypt", "lock unlock", "acute chronic", "benign malignant",
)  # fmt: skip

ENGLISH = frozenset("the and that with which from".split())
"""Where one of these stands, a sentence is English."""
NEGATIONS_ABROAD = frozenset(
    """
    nicht kein keine keinen keinem keiner keines nie niemals ohne pas jamais aucun aucune sans
    nunca jamás jamas ningún ninguna ninguno sin não nenhum nenhuma sem non mai nessun nessuno
    nessuna senza niet geen nooit zonder не нет никогда без ikke inte aldrig ingen nigdy bez değil
    ei eivät nem δεν لا לא אינו אינה אין yok không tidak bukan ليس ليست لم لن नहीं 不 没 沒 未 无
    無 非 ない なかっ ません 않 없
    """.split()
)
"""What denies in other languages; characters where no space parts the words."""
OUTBIDDING = frozenset({"all", "only"})
"""Quantifiers that say more than to say none."""

INTERCHANGEABLE = (
    "because due since owing", "about approximately around roughly circa", "begin start commence",
    "began started commenced begun", "end finish conclude", "film movie", "nearly almost",
    "often frequently", "before prior", "located situated lies", "large big", "small little",
    "various different", "many numerous", "use utilize employ", "buy purchase", "people persons",
    "person individual", "show demonstrate", "several number", "main primary principal chief",
    "need require", "needed required necessary", "help assist aid", "get obtain receive",
    "quick rapid fast", "create make made produce", "build construct built", "till until",
    "play portray act", "state say said", "kill slay", "doctor physician", "child kid",
    "children kids", "car automobile", "city town", "job occupation", "ill sick", "reduce decrease",
    "reduces decreases lowers", "raise increase", "rise increase", "instance example",
    "tv television",
    "song track", "illness disease", "cancer tumor carcinoma", "heart cardiac", "kidney renal",
    "risk likelihood", "enable allow permit", "can able ability", "versus vs", "second ii",
    "start starting", "enter entry", "die death dead", "born birth",
)  # fmt: skip
"""Words that say the same for the purpose of being covered; names and numbers are never here."""

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
            "august aug", "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

_UNIT_FORMS = {
    "%": "% percent percentage percents", "‰": "‰ permille",
    "km": "km kms kilometer kilometre", "m": "m meter metre", "cm": "cm centimeter centimetre",
    "mm": "mm millimeter millimetre", "nm": "nm nanometer nanometre", "mi": "mi mile",
    "ft": "ft foot feet", "inch": "inch inches", "yd": "yd yard", "kg": "kg kgs kilogram kilo",
    "g": "g gram gramme", "mg": "mg milligram", "µg": "µg μg mcg microgram", "lb": "lb lbs pound",
    "oz": "oz ounce", "t": "ton tonne", "l": "l liter litre", "ml": "ml milliliter millilitre",
    "gal": "gallon gal", "s": "s sec secs second", "ms": "ms millisecond", "min": "min mins minute",
    "h": "h hr hrs hour", "d": "day days", "wk": "week wk", "mo": "month", "yr": "yr yrs year",
    "decade": "decade", "century": "century centuries", "ha": "ha hectare", "acre": "acre",
    "USD": "$ dollar usd", "EUR": "€ euro eur", "GBP": "£ gbp", "cent": "cent",
    "pence": "pence penny",
    "B": "byte", "kB": "kb kilobyte kib", "MB": "mb megabyte mib", "GB": "gb gigabyte gib",
    "TB": "tb terabyte", "bit": "bit", "megabit": "megabit", "Hz": "hz hertz", "W": "w watt",
    "kW": "kw kilowatt", "MW": "mw megawatt", "V": "v volt", "J": "j joule", "K": "kelvin",
    "°": "° degree", "rad": "radian", "wei": "wei", "gwei": "gwei", "ether": "ether eth",
    "Wh": "wh", "kWh": "kwh", "MWh": "mwh", "GWh": "gwh", "TWh": "twh", "mAh": "mah",
    "kHz": "khz kilohertz", "MHz": "mhz megahertz", "GHz": "ghz gigahertz", "GW": "gw gigawatt",
    "TW": "tw terawatt", "mW": "milliwatt", "kV": "kv kilovolt", "mV": "mv millivolt",
    "Pa": "pa pascal", "hPa": "hpa", "kPa": "kpa", "MPa": "mpa", "bar": "bar",
    "kbit/s": "kbps", "Mbit/s": "mbps", "Gbit/s": "gbps", "PB": "pb petabyte",
    "µm": "µm μm micrometer micrometre micron", "µs": "µs μs microsecond", "ns": "nanosecond",
    "am": "am", "pm": "pm", "BC": "bc bce", "AD": "ad ce",
    "mph": "mph", "mol": "mol mole", "mmol": "mmol millimole", "cal": "calorie", "kcal": "kcal",
}  # fmt: skip
UNITS = {form: unit for unit, forms in _UNIT_FORMS.items() for form in forms.split()}
UNITS |= {
    f"{form}s": unit
    for form, unit in list(UNITS.items())
    if len(form) > 2 and not form.endswith(("s", "y")) and f"{form}s" not in UNITS
}
UNITS_BY_CASE = {
    "mW": "mW", "MW": "MW", "mWh": "mWh", "MWh": "MWh", "Mb": "megabit", "Gb": "gigabit",
    "kb": "kilobit", "mV": "mV", "MV": "MV", "Mbps": "Mbit/s", "MBps": "MB/s",
}  # fmt: skip
"""Where a capital makes another unit."""
DEGREES = {"c": "°C", "celsius": "°C", "centigrade": "°C", "f": "°F", "fahrenheit": "°F"}
PREFIXED_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
NUMBER_WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALE_LETTERS = {"k": 1_000, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
"""Behind an amount of money."""
ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(),
        start=1,
    )
}

BOUNDS = {
    "at least": 1, "more than": 1, "greater than": 1, "larger than": 1, "higher than": 1,
    "no less than": 1, "not less than": 1, "no fewer than": 1, "over": 1, "above": 1,
    "exceeding": 1, "exceeds": 1, "minimum of": 1, "longer than": 1, "older than": 1,
    "at most": -1, "less than": -1, "fewer than": -1, "smaller than": -1, "lower than": -1,
    "no more than": -1, "not more than": -1, "up to": -1, "under": -1, "below": -1,
    "no longer than": -1, "not longer than": -1, "no older than": -1, "no later than": -1,
    "maximum of": -1, "shorter than": -1, "younger than": -1,
}  # fmt: skip
"""What stands before a number and makes a lower (1) or an upper (-1) bound of it."""
EXACTLY = frozenset("exactly precisely only just".split())
ESTIMATES = frozenset("about approximately around nearly almost roughly some circa ~ c".split())

IMPLIED_NUMBERS = {
    "first": 1, "one": 1, "singl": 1, "second": 2, "both": 2, "twice": 2, "pair": 2, "coupl": 2,
    "twin": 2, "doubl": 2, "half": 50, "tripl": 3, "trio": 3, "dozen": 12,
}  # fmt: skip
"""Stems that say a number without being one."""
BREAKS = frozenset(
    ', ; : . ! ? ( ) " and which who whom whose because but while although though where when since '
    "as after before until unless so than that if".split()
)
"""Where one clause ends and another begins."""

AUXILIARIES = frozenset(
    "is are was were has have had can will would should must does did do may might could".split()
)
POINTING = frozenset(
    """
    it they he she his her their its this that these those such there here who which former latter
    we our i you one ones another other others some most both all what if though although when while
    since because after before as in on at for with by to but and so however moreover thus many few
    each either neither
    """.split()
)
"""Before a verb these say that its subject may be one that was named before."""
ONE_WAY = frozenset(
    """
    to than as before after then over under above below by into onto of from through called named
    known : / -
    """.split()
)
"""Between two words these say which is which: *from A to B*, *A of B*, *3:1*."""
_TURNING = (
    "on off", "in out", "to from", "over under", "into from", "and or", "for against", "to by",
    "until from", "until since", "before since", "if unless", "with without", "<= >=", "< >",
    "== !=", "<= <", ">= >", "= !=",
)  # fmt: skip
TURNED = {
    one: frozenset(
        other for pair in _TURNING if one in pair.split() for other in pair.split() if other != one
    )
    for one in " ".join(_TURNING).split()
}
"""Small words that turn a sentence around where one stands in the place of the other."""
MUTUAL = frozenset(
    "meet met marri border join connect equal resembl neighbour collabor divorc adjac near close"
    " togeth play fight fought tie drew face versus vs share link adjoin match".split()
)
"""Stems of what holds both ways."""
