"""Cross-encoders as an operator names them; tiny ones with random weights, saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from footnote.errors import Misconfigured
from rag.models.crossencoder import CrossEncoderEntailment, CrossEncoderReranker

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NLI = ("CONTRADICTION", "ENTAILMENT", "NEUTRAL")


def write_model(folder: Path, labels: tuple[str, ...]) -> Path:
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.train_from_iterator(
        ["the quokka eats leaves at night"], trainers.WordLevelTrainer(special_tokens=SPECIAL)
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokens = {f"{name}_token": token for name, token in names.items()}
    PreTrainedTokenizerFast(tokenizer_object=words, **tokens).save_pretrained(folder)  # type: ignore[no-untyped-call]
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=64,
        id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_reranker_gives_each_passage_its_relevance(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(write_model(tmp_path / "m", ("relevance",)), "cpu")
    passages = ["the quokka eats leaves", "at night", "leaves"]
    found = reranker.relevance("the quokka", passages)
    assert len(found) == 3
    assert all(0 < score < 1 for score in found)
    turned = reranker.relevance("the quokka", passages[::-1])
    assert turned[::-1] == pytest.approx(found, abs=1e-6)
    assert reranker.relevance("the quokka", []) == []
    assert reranker.definition.body["kind"] == "reranker"


def test_entailment_is_read_by_the_names_of_the_labels(tmp_path: Path) -> None:
    model = CrossEncoderEntailment(write_model(tmp_path / "m", NLI), "cpu")
    (one,) = model.judge([("the quokka eats leaves", "the quokka eats")])
    assert one.entailment + one.neutral + one.contradiction == pytest.approx(1)
    raw = model.model.predict([("the quokka eats leaves", "the quokka eats")], apply_softmax=True)
    assert (one.contradiction, one.entailment, one.neutral) == pytest.approx(tuple(raw[0]))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    one = write_model(tmp_path / "one", ("relevance",))
    three = write_model(tmp_path / "three", ("a", "b", "c"))
    with pytest.raises(Misconfigured, match="FOOTNOTE_NLI_MODEL"):
        CrossEncoderEntailment(one, "cpu")
    with pytest.raises(Misconfigured, match="FOOTNOTE_NLI_MODEL"):
        CrossEncoderEntailment(three, "cpu")
    with pytest.raises(Misconfigured, match="FOOTNOTE_RERANKER_MODEL"):
        CrossEncoderReranker(three, "cpu")
    with pytest.raises(Misconfigured, match="is no directory"):
        CrossEncoderReranker(tmp_path / "nowhere", "cpu")
