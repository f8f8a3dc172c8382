"""Words that the rules of the benchmark exchange. Kept apart from the verifier's own lists: what
judges does not borrow from what is judged.
"""

from __future__ import annotations

MONTHS = tuple(
    """
    January February March April May June July August September October November December
    """.split()
)

NUMBERS = dict(
    zip(
        "two three four five six seven eight nine ten eleven twelve".split(),
        range(2, 13),
        strict=True,
    )
)

UNITS = {
    "km": "kg", "kilometres": "kilograms", "kilometers": "kilograms", "metres": "miles",
    "meters": "miles", "feet": "miles", "miles": "metres", "inches": "yards", "kg": "km",
    "mg": "kg", "grams": "tonnes", "pounds": "tons", "tons": "pounds", "tonnes": "grams",
    "seconds": "hours", "minutes": "days", "hours": "weeks", "days": "years", "weeks": "hours",
    "months": "days", "years": "months", "decades": "weeks", "centuries": "months",
    "year": "day", "day": "month", "week": "year", "month": "hour", "hour": "week",
    "%": " per thousand", "percent": "per thousand", "per cent": "per thousand",
    "million": "billion", "billion": "thousand", "thousand": "million", "hundred": "million",
    "dollars": "pence", "euros": "cents", "gallons": "millilitres", "litres": "gallons",
    "degrees": "radians", "acres": "hectares", "hectares": "square inches", "mm": "km",
    "cm": "km", "ml": "litres", "bytes": "gigabytes", "bits": "megabytes", "gwei": "ether",
    "ether": "wei", "blocks": "days", "votes": "dollars", "times": "per cent",
}  # fmt: skip
"""A unit and another one that says something else of the same number."""

QUANTIFIERS = {
    "none of the": "all of the", "all of the": "none of the", "most of the": "few of the",
    "some of the": "none of the", "many of the": "few of the", "every": "no", "each": "no",
    "always": "never", "often": "never", "usually": "rarely", "frequently": "never",
    "sometimes": "always", "rarely": "always", "at least": "at most", "at most": "at least",
    "more than": "less than", "less than": "more than", "fewer than": "more than",
    "up to": "more than", "both": "neither of", "only": "not only", "many": "few",
    "several": "no", "all": "no", "few": "most",
}  # fmt: skip
"""A quantifier and one that denies it. All to some is left out: what holds of all holds of some."""

OPPOSITES = {
    "increased": "decreased", "decreased": "increased", "increases": "decreases",
    "decreases": "increases", "increase": "decrease", "decrease": "increase",
    "higher": "lower", "lower": "higher", "larger": "smaller", "smaller": "larger",
    "before": "after", "after": "before", "largest": "smallest", "highest": "lowest",
    "oldest": "youngest", "first": "last", "north": "south", "south": "north",
    "northern": "southern", "southern": "northern", "eastern": "western", "western": "eastern",
    "male": "female", "female": "male", "positive": "negative", "negative": "positive",
    "possible": "impossible", "able": "unable", "won": "lost", "lost": "won",
    "accepted": "rejected", "success": "failure", "presence": "absence",
}  # fmt: skip

CLAUSES = (
    "mainly because of heavy rain in the spring",
    "according to the finance minister",
    "at a cost of many lives",
    "to the surprise of most experts",
    "for the first time in Portugal",
    "after a long dispute with the trade unions",
    "as a secret parliamentary committee later confirmed",
    "which made the town rich",
    "although a court later stopped it",
    "and a museum in Lisbon honours this today",
    "and the inventor received a gold medal for it",
    "and children learn this at school in Norway",
    "which doctors regard as dangerous",
    "and it is therefore forbidden in Sweden",
)

CONTRACTIONS = {
    "is not": "isn't", "are not": "aren't", "was not": "wasn't", "were not": "weren't",
    "do not": "don't", "does not": "doesn't", "did not": "didn't", "has not": "hasn't",
    "have not": "haven't", "had not": "hadn't", "cannot": "can't", "can not": "cannot",
    "will not": "won't", "would not": "wouldn't", "could not": "couldn't",
    "should not": "shouldn't", "must not": "mustn't", "it is": "it's", "that is": "that's",
    "they are": "they're", "there is": "there's", "we have": "we've", "it has been": "it's been",
}  # fmt: skip

SPELLINGS = {
    "colour": "color", "colours": "colors", "behaviour": "behavior", "centre": "center",
    "centres": "centers", "theatre": "theater", "organisation": "organization",
    "organisations": "organizations", "recognised": "recognized", "organised": "organized",
    "realised": "realized", "characterised": "characterized", "utilised": "utilized",
    "tumour": "tumor", "tumours": "tumors", "labour": "labor", "defence": "defense",
    "licence": "license", "programme": "program", "programmes": "programs", "grey": "gray",
    "analyse": "analyze", "analysed": "analyzed", "favour": "favor", "honour": "honor",
    "neighbour": "neighbor", "travelled": "traveled", "cancelled": "canceled",
    "fulfil": "fulfill", "metres": "meters", "kilometres": "kilometers", "litres": "liters",
    "haemoglobin": "hemoglobin", "oestrogen": "estrogen", "paediatric": "pediatric",
    "anaemia": "anemia", "optimise": "optimize", "optimised": "optimized",
    "minimise": "minimize", "maximise": "maximize", "standardised": "standardized",
    "randomised": "randomized", "specialised": "specialized", "modelling": "modeling",
    "signalling": "signaling", "labelled": "labeled", "serialise": "serialize",
    "serialised": "serialized", "initialised": "initialized", "initialise": "initialize",
    "utilise": "utilize", "customise": "customize", "generalised": "generalized",
    "hospitalised": "hospitalized", "stabilise": "stabilize", "catalogue": "catalog",
    "fibre": "fiber", "fibres": "fibers", "judgement": "judgment", "ageing": "aging",
}  # fmt: skip

FILLERS = (
    "also", "however ,", "however,", "therefore ,", "therefore,", "furthermore ,", "furthermore,",
    "moreover ,", "moreover,", "indeed ,", "indeed,", "thus ,", "thus,", "then ,", "in fact ,",
    "in fact,", "additionally,", "additionally ,", "as well",
)  # fmt: skip

LEADS = ("However, ", "In fact, ", "Moreover, ", "In addition, ", "Indeed, ", "Furthermore, ")

UNIT_FORMS = {
    "km": "kilometres", "kilometres": "km", "kilometers": "km", "kg": "kilograms",
    "kilograms": "kg", "mg": "milligrams", "mm": "millimetres", "cm": "centimetres",
    "metres": "meters", "meters": "metres", "feet": "ft", "inches": "in.", "hours": "h",
    "minutes": "min", "seconds": "s", "milliseconds": "ms", "litres": "liters", "mph":
    "miles per hour", "square miles": "sq mi", "ml": "millilitres", "kb": "kilobytes",
}  # fmt: skip

PHRASES = {
    "in order to": "to", "prior to": "before", "subsequent to": "after",
    "a number of": "several", "approximately": "about", "in spite of": "despite",
    "due to": "because of", "for example": "for instance", "as well as": "and",
    "almost": "nearly", "often": "frequently", "begins": "starts", "began": "started",
    "located in": "situated in", "a variety of": "various", "such as": "like",
    "in addition to": "besides", "whilst": "while", "amongst": "among", "upon": "on",
    "until": "till", "so that": "in order that", "has the ability to": "can",
    "is able to": "can", "are able to": "can", "throughout": "all through",
    "a large number of": "many", "a majority of": "most", "whereas": "while",
}  # fmt: skip
"""Phrases that say the same, whatever stands around them."""

ACTIVE = {
    "written": "wrote", "founded": "founded", "directed": "directed", "produced": "produced",
    "created": "created", "discovered": "discovered", "invented": "invented",
    "published": "published", "developed": "developed", "built": "built",
    "designed": "designed", "composed": "composed", "performed": "performed",
    "introduced": "introduced", "established": "established", "played": "played",
    "recorded": "recorded", "released": "released", "portrayed": "portrayed",
}  # fmt: skip
