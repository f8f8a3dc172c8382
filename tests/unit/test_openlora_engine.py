"""Rows with different adapters in one batch, against each alone, PEFT and plain transformers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from openlora.engine.base import BaseModel
from openlora.engine.choice import Chooser, choose
from openlora.engine.mixing import Adapter
from openlora.generation import Chosen, Sampling, Seat
from tests.tiny_models import BASE, write_adapter, write_base

MIXES = 200
ADAPTERS = 6
TOKENS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    base = write_base(folder / BASE)
    for number in range(ADAPTERS):
        write_adapter(folder / f"adapter-{number}", base, seed=number, rank=2 + number)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the server runs in tests; what several threads add up differs in its last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def engine(folder: Path) -> BaseModel:
    return BaseModel(folder / BASE, BASE, dtype="float32", device="cpu", max_rank=16)


@pytest.fixture(scope="module")
def adapters(engine: BaseModel, folder: Path) -> list[Adapter | None]:
    return [None, *(engine.load(folder / f"adapter-{number}") for number in range(ADAPTERS))]


Row = tuple[tuple[int, ...], int, int]
"""Prompt, adapter, and how many tokens are wanted."""


def generated(
    engine: BaseModel, adapters: Sequence[Adapter | None], waves: Sequence[Sequence[Row]]
) -> list[list[int]]:
    """Tokens of every row. A wave joins every third step; rows leave when they have theirs."""
    said: dict[int, list[int]] = {}
    running: list[tuple[int, int]] = []
    numbers = iter(range(10_000))
    coming = [[(next(numbers), row) for row in wave] for wave in waves]
    steps = 0
    while coming or running:
        if coming and steps % 3 == 0:
            wave = coming.pop(0)
            joined = engine.join(
                [Seat(prompt, adapters[which], Sampling()) for _, (prompt, which, _) in wave]
            )
            for (number, (_, _, wanted)), first in zip(wave, joined, strict=True):
                said[number] = [first.first.token]
                running.append((number, wanted))
        else:
            for (number, _), chosen in zip(running, engine.step(), strict=True):
                said[number].append(chosen.token)
        steps += 1
        staying = [i for i, (number, wanted) in enumerate(running) if len(said[number]) < wanted]
        engine.keep(staying)
        running = [running[i] for i in staying]
    return [said[number] for number in sorted(said)]


def random_rows(chance: random.Random, count: int) -> list[Row]:
    return [
        (
            tuple(chance.randrange(4, TOKENS) for _ in range(chance.choice([1, 2, 5, 17, 60]))),
            chance.randrange(ADAPTERS + 1),
            chance.randint(1, 6),
        )
        for _ in range(count)
    ]


def test_a_mixed_batch_says_what_each_row_says_alone_token_for_token(
    engine: BaseModel, adapters: list[Adapter | None]
) -> None:
    chance = random.Random(5)
    rows = 0
    for _ in range(MIXES):
        waves = [random_rows(chance, chance.randint(1, 5)) for _ in range(chance.randint(1, 3))]
        together = generated(engine, adapters, waves)
        alone = [generated(engine, adapters, [[row]])[0] for wave in waves for row in wave]
        assert together == alone
        rows += len(alone)
    assert rows > 2 * MIXES


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_adapters_compute_what_peft_computes(
    engine: BaseModel, adapters: list[Adapter | None], folder: Path
) -> None:
    import peft

    base = AutoModelForCausalLM.from_pretrained(folder / BASE, dtype=torch.float32)
    model: Any = peft.PeftModel.from_pretrained(
        base, folder / "adapter-0", adapter_name="adapter-0"
    )
    for number in range(1, ADAPTERS):
        model.load_adapter(folder / f"adapter-{number}", f"adapter-{number}")
    model.eval()
    prompt = list(range(10, 40))
    names = ["__base__", *(f"adapter-{number}" for number in range(ADAPTERS))]
    with torch.inference_mode():
        logits = model(torch.tensor([prompt] * len(names)), adapter_names=names).logits
    expected = torch.log_softmax(logits, dim=-1)
    seats = [Seat(prompt, adapter, Sampling(logprobs=0), echo=True) for adapter in adapters]
    joined = engine.join(seats)
    engine.keep([])
    for row, one in enumerate(joined):
        assert one.first.token == int(logits[row, -1].argmax())
        for at, chosen in enumerate(one.prompt[1:]):
            assert chosen.logprob == pytest.approx(
                float(expected[row, at, prompt[at + 1]]), abs=1e-4
            )


def test_a_prompts_log_probabilities_are_those_of_plain_transformers(
    engine: BaseModel, folder: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder / BASE, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    prompts = [[7, 8, 9], [5], list(range(20, 60))]
    seats: list[Seat[Adapter]] = [
        Seat(prompt, None, Sampling(logprobs=2), echo=True) for prompt in prompts
    ]
    joined = engine.join(seats)
    engine.keep([])
    for prompt, one in zip(prompts, joined, strict=True):
        with torch.inference_mode():
            expected = torch.log_softmax(model(torch.tensor([prompt])).logits[0], dim=-1)
        assert one.prompt[0] == Chosen(prompt[0])
        assert [chosen.token for chosen in one.prompt] == prompt
        for at, chosen in enumerate(one.prompt[1:]):
            assert chosen.logprob == pytest.approx(float(expected[at, prompt[at + 1]]), abs=1e-4)
            values, tokens = expected[at].topk(2)
            assert [token for token, _ in chosen.top] == tokens.tolist()
            assert [value for _, value in chosen.top] == pytest.approx(values.tolist(), abs=1e-4)


def test_a_drawn_row_does_not_depend_on_its_company(engine: BaseModel) -> None:
    def drawn(company: int) -> list[int]:
        seats: list[Seat[Adapter]] = [Seat([9, 9, 9], None, Sampling(1.0, 0.9, seed=3))]
        seats += [Seat([8] * n, None, Sampling(1.0, seed=n)) for n in range(1, company + 1)]
        said = [engine.join(seats)[0].first.token]
        said += [engine.step()[0].token for _ in range(10)]
        engine.keep([])
        return said

    assert drawn(0) == drawn(5)


def test_a_small_top_p_leaves_only_the_likeliest(engine: BaseModel) -> None:
    seats: list[Seat[Adapter]] = [
        Seat([9, 9], None, Sampling()),
        *(Seat([9, 9], None, Sampling(1.0, 1e-6, seed=seed)) for seed in range(5)),
    ]
    first = {one.first.token for one in engine.join(seats)}
    engine.keep([])
    assert len(first) == 1


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf")])
def test_a_row_whose_logits_are_no_numbers_fails_and_the_others_choose(spoilt: float) -> None:
    logits = torch.tensor([[0.0, 1.0, 9.0], [0.0, spoilt, 9.0], [5.0, 1.0, 0.0]])
    samplings = [Sampling(), Sampling(temperature=1.0, logprobs=1), Sampling(logprobs=0)]
    chosen = choose(logits, [Chooser(one) for one in samplings])
    assert [one.failed for one in chosen] == [False, True, False]
    assert (chosen[0].token, chosen[2].token) == (2, 0)
