"""The last question of a conversation, so put that it stands alone.

Retrieval reads one question. "And how long does that take?" finds nothing unless somebody says what
*that* was.
"""

from __future__ import annotations

from collections.abc import Sequence

from footnote.model import Turn
from rag.models.llm import ChatModel

MOST_TURNS = 8
MOST_OF_A_TURN = 1_500
MOST_CODE_POINTS = 1_000
"""Of what counts as a question; a longer reply is something else."""

_SYSTEM = """You are shown a conversation. Put its last message as one question that can be
understood without the conversation: fill in what it refers to, keep its language, its names and its
numbers, add nothing. If it can be understood as it is, repeat it. Write the question and nothing
else."""


def standing_alone(question: str, turns: Sequence[Turn], model: ChatModel) -> str:
    """``question`` with what it refers to in ``turns``, the earlier messages, oldest first; itself
    where the model gives nothing of use.

    Raises:
        Unavailable, Broken: as the model does.
    """
    if not turns:
        return question
    shown = "\n\n".join(
        f"{turn.role}: {' '.join(turn.text.split())[:MOST_OF_A_TURN]}"
        for turn in turns[-MOST_TURNS:]
    )
    asked = f"{shown}\n\nLast message of the user: {question}"
    reply = model.complete((("system", _SYSTEM), ("user", asked)), None).text
    restated = next((line.strip() for line in reply.splitlines() if line.strip()), "")
    usable = any(character.isalnum() for character in restated) and "\x00" not in restated
    return restated if usable and len(restated) <= MOST_CODE_POINTS else question
