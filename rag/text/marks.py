"""Instructions to a reader that is a machine: what a Document says to be obeyed, not to inform.

Marked sentences are reported when a Document is ingested, are no evidence, and are never shown to a
model. The patterns are narrow: of what people write for people, next to nothing may be marked.
Wordings in other languages, and those that take a word of several kinds, are in
:mod:`rag.text.orders`.
"""

from __future__ import annotations

import re

from footnote.model import Span
from rag.text.letters import folded
from rag.text.orders import orders
from rag.text.sentences import sentences

_EARLIER = r"(?:other|previous|prior|above|preceding|earlier|foregoing)"
_OTHER = rf"(?:all|any|every|the|your|{_EARLIER})"
_PAPERS = r"(?:sources?|documents?|passages?|pages?|contexts?)"
_WORDS = r"(?:instructions?|prompts?|directions|guidelines|messages?|rules|commands?)"
_MACHINE = (
    r"(?:ai (?:assistant|model|language model|system|chatbot)|(?:large )?language model|chatbot|"
    r"chatgpt|llm|(?:virtual|helpful|digital) assistant)"
)

_PATTERNS = (
    # Away with what the machine was told.
    rf"\b(?:ignore|disregard|forget|(?:override|bypass)(?! the (?!{_EARLIER})))\b"
    rf"(?: {_OTHER})+(?: of)?(?: {_OTHER})* "
    rf"(?:\w+ )?(?:{_WORDS}|{_PAPERS})\b",
    r"\b(?:ignore|disregard|forget) (?:everything |all |anything )?(?:that is |of )?(?:the )?above"
    r"\b(?=,| and (?:cite|answer|say|respond|reply|use|follow|instead)|[.!;:])",
    # Cite me.
    r"\bcite (?:only |just )?(?:this|me\b|the present|source \[?\d|document \[?\d|\[\d)"
    rf"(?: {_PAPERS})?(?! (?:article|paper|work|chapter|book|report|as\b))",
    rf"\b(?:do not|don't|never) (?:cite|quote|mention|use|trust) (?:any )?other {_PAPERS}\b",
    r"\b(?:answer|respond|reply|say|state|claim)\b[^.!?]{0,40}\b(?:that |only )?"
    rf"(?:with|from|by|that) (?:only )?this {_PAPERS}\b",
    # You are a machine.
    r"\b(?:you are|you're|act as|pretend to be|you as) (?:now )?(?:an? |the )?"
    rf"{_MACHINE}\b",
    rf"\bas an? (?:{_MACHINE}|ai|llm),? (?:you|i)\b",
    r"\b(?:system prompt|hidden instructions) ?(?:[:=]|says|is now)",
    # Marks of a conversation.
    r"<\|(?:im_(?:start|end)|system|user|assistant|end(?:oftext)?|eot_id|(?:start|end)_header_id)\|>|"
    r"\[/?inst\]|<</?sys>>|</?(?:start|end)_of_turn>|"
    r"</?(?:system|assistant|(?:system|ai)[-_ ]?(?:prompt|message|instructions?|reminder))>",
    r"(?:^|\n)\W{0,4}(?:system|assistant|developer)(?: (?:prompt|message))?\W{0,3}:\W{0,4}"
    r"(?:you|ignore|disregard|cite|answer|respond|reply|always|never|do not|don't|when|from "
    r"now on)\b",
    r"(?:^|\n)#{2,} ?(?:system (?:prompt|message|instruction)|instructions? to (?:the )?"
    r"(?:ai|model)\b)",
)
_INSTRUCTION = re.compile("|".join(_PATTERNS).replace(" ", r"\s"))
_TURN = re.compile(
    r"<(system|assistant)>.{0,4000}?</\1>|\[inst\].{0,4000}?\[/inst\]|"
    r"<\|im_start\|>.{0,4000}?<\|im_end\|>|<<sys>>.{0,4000}?<</sys>>",
    re.IGNORECASE | re.DOTALL,
)
"""What stands between two marks of a conversation, which may be many sentences."""
_SMUGGLED = re.compile(
    "(?<!\U0001f3f4)(?<![\U000e0020-\U000e007f])[\U000e0001-\U000e007f]{2,}|"
    "[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3,}"
)
"""Characters that no screen shows and a model reads: Unicode's tags outside the flags that are
written with them, and rows of variation selectors."""


def instructs(text: str) -> bool:
    """Whether ``text``, a sentence or a title, tells a machine what to do."""
    if not text.isascii() and _SMUGGLED.search(text):
        return True
    shown = re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", folded(text)))
    return bool(_INSTRUCTION.search(shown)) or orders(shown)


def instructions(text: str) -> list[Span]:
    """The sentences of ``text`` that tell a machine what to do."""
    if not instructs(text):
        return []
    turns = [Span(match.start(), match.end()) for match in _TURN.finditer(text)]
    found = []
    for one in sentences(text):
        while turns and turns[0].end <= one.span.start:
            del turns[0]
        if (turns and turns[0].start < one.span.end) or instructs(one.span.of(text)):
            found.append(one.span)
    return found


def without_instructions(text: str) -> str:
    """``text`` as a model may read it: an ellipsis in place of each instruction."""
    for span in reversed(instructions(text)):
        text = f"{text[: span.start]}[…]{text[span.end :]}"
    return text
