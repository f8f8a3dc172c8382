"""What the splitter takes for granted about the tokenizer of the embedded model."""

from __future__ import annotations

from hypothesis import given

from rag.models.embedder import SentenceTransformerEmbedder
from tests.corpus import TEXTS


@given(TEXTS)
def test_token_offsets_ascend_and_count_code_points(
    embedder: SentenceTransformerEmbedder, text: str
) -> None:
    starts = list(embedder.token_starts(text))
    assert starts == sorted(starts)
    assert all(0 <= start < len(text) for start in starts)


def test_offsets_after_an_emoji_count_it_as_one_code_point(
    embedder: SentenceTransformerEmbedder,
) -> None:
    text = "🙂 cats 🙂🙂 dogs"
    starts = set(embedder.token_starts(text))
    assert {text.index("cats"), text.index("dogs")} <= starts


def test_a_long_text_is_tokenized_whole(embedder: SentenceTransformerEmbedder) -> None:
    assert len(embedder.token_starts("cat " * 5_000)) == 5_000
