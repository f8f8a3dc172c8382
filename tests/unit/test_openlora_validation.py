"""What an adapter must be before anything serves it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from footnote.errors import Invalid
from openlora.catalogue import Catalogue
from openlora.engine.base import BaseModel
from openlora.validation import CONFIG, WEIGHTS, check_name, inspect_adapter
from tests.tiny_models import BASE, write_adapter, write_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("models") / BASE)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter", base, seed=1)


def test_a_plain_lora_is_taken_and_described(adapter: Path) -> None:
    facts = inspect_adapter(adapter, base=BASE)
    assert (facts.base, facts.rank, facts.scale) == (BASE, 4, 2.0)
    assert len(facts.modules) == 14
    assert "model.layers.1.self_attn.q_proj" in facts.modules
    stored = load_file(adapter / WEIGHTS)
    assert facts.weight_bytes == sum(tensor.nbytes for tensor in stored.values())


def test_the_digest_names_configuration_and_weights(adapter: Path, base: Path) -> None:
    before = inspect_adapter(adapter, base=BASE).digest
    assert inspect_adapter(adapter, base=BASE).digest == before
    configure(lora_alpha=9)(adapter)
    assert inspect_adapter(adapter, base=BASE).digest != before
    configure(lora_alpha=8)(adapter)
    reweigh(lambda name, tensor: tensor * 2)(adapter)
    assert inspect_adapter(adapter, base=BASE).digest != before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_taken_too(adapter: Path, dtype: torch.dtype) -> None:
    reweigh(lambda name, tensor: tensor.to(dtype))(adapter)
    assert inspect_adapter(adapter, base=BASE).rank == 4


Spoil = Callable[[Path], None]


def configure(**changes: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | changes))

    return spoil


def reweigh(change: Callable[[str, torch.Tensor], torch.Tensor | None]) -> Spoil:
    def spoil(folder: Path) -> None:
        changed = {n: change(n, t) for n, t in load_file(folder / WEIGHTS).items()}
        kept = {n: t.contiguous() for n, t in changed.items() if t is not None}
        save_file(kept, folder / WEIGHTS)

    return spoil


def one_value(value: float, dtype: torch.dtype) -> Spoil:
    def change(name: str, tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.to(dtype)
        if name.endswith("layers.1.mlp.up_proj.lora_B.weight"):
            tensor[-1, -1] = value
        return tensor

    return reweigh(change)


def cut(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:-1])


def lengthened(folder: Path) -> None:
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b"more")


def endless_header(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", 1 << 60) + b"{}")


def beside(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(b"?")

    return spoil


def missing(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def without_b(name: str, tensor: torch.Tensor) -> torch.Tensor | None:
    return None if name.endswith("q_proj.lora_B.weight") else tensor


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (missing(CONFIG), "no adapter_config.json"),
        (missing(WEIGHTS), "no adapter_model.safetensors"),
        (beside("adapter_model.bin"), "may hold code"),
        (beside("training_args.bin"), "may hold code"),
        (configure(peft_type="IA3"), "not of type LORA"),
        (configure(task_type="SEQ_CLS"), "another task"),
        (configure(base_model_name_or_path="other"), "another base model"),
        (configure(base_model_name_or_path=None), "another base model"),
        (configure(use_dora=True), "uses use_dora"),
        (configure(modules_to_save=["lm_head"]), "uses modules_to_save"),
        (configure(rank_pattern={"q_proj": 8}), "uses rank_pattern"),
        (configure(alpha_pattern={"q_proj": 8}), "uses alpha_pattern"),
        (configure(bias="all"), "trained biases"),
        (configure(init_lora_weights="pissa"), "changes its base"),
        (configure(r=128), "rank is not 1 to 64"),
        (configure(r=0), "rank is not 1 to 64"),
        (configure(r=True), "rank is not 1 to 64"),
        (configure(r="4"), "rank is not 1 to 64"),
        (configure(r=5), "another rank than r"),
        (configure(lora_alpha=0), "lora_alpha is not"),
        (configure(lora_alpha=float("inf")), "lora_alpha is not"),
        (configure(lora_alpha=1e308), "lora_alpha is not"),
        (configure(lora_alpha=1e30), "lora_alpha is not"),
        (configure(lora_alpha=10**400), "lora_alpha is not"),
        (configure(lora_alpha=4_000, use_rslora=True), "lora_alpha is too large"),
        (reweigh(lambda name, tensor: tensor * 1e30), "numbers too large"),
        (one_value(40_000.0, torch.float32), "numbers too large"),
        (one_value(1e30, torch.bfloat16), "numbers too large"),
        (one_value(float("nan"), torch.float32), "holds NaN or infinity"),
        (one_value(float("inf"), torch.float16), "holds NaN or infinity"),
        (one_value(float("-inf"), torch.bfloat16), "holds NaN or infinity"),
        (reweigh(lambda name, tensor: tensor.to(torch.int8)), "no matrix of a LoRA"),
        (reweigh(without_b), "one factor of two"),
        (reweigh(lambda name, tensor: None), "holds no weights"),
        (cut, "cut off or too long"),
        (lengthened, "cut off or too long"),
        (endless_header, "not a safetensors file"),
    ],
)
def test_what_is_no_plain_lora_of_this_base_is_refused(
    adapter: Path, spoil: Spoil, said: str
) -> None:
    spoil(adapter)
    with pytest.raises(Invalid, match=said):
        inspect_adapter(adapter, base=BASE)


def test_a_name_that_promises_other_files_is_refused(base: Path, adapter: Path) -> None:
    digest = inspect_adapter(adapter, base=BASE).digest.hex()[:12]
    engine = BaseModel(base, BASE, dtype="float32", device="cpu", max_rank=16)
    engine.load(adapter, f"town-{digest}")
    engine.load(adapter, "town-of-old")
    with pytest.raises(Invalid, match="not those that its name promises"):
        engine.load(adapter, "town-000000000000")


def test_scaled_by_the_root_of_its_rank_where_it_says_so(adapter: Path) -> None:
    configure(use_rslora=True)(adapter)
    assert inspect_adapter(adapter, base=BASE).scale == 4.0


def test_layers_that_the_base_lacks_or_has_in_another_size_are_refused(
    base: Path, adapter: Path
) -> None:
    engine = BaseModel(base, BASE, dtype="float32", device="cpu", max_rank=16)
    engine.load(adapter)
    stored = load_file(adapter / WEIGHTS)
    save_file({n.replace("layers.1", "layers.7"): t for n, t in stored.items()}, adapter / WEIGHTS)
    with pytest.raises(Invalid, match=r"no linear layer model\.layers\.7"):
        engine.load(adapter)
    wide = {n: torch.zeros((4, 65)) if n.endswith("A.weight") else t for n, t in stored.items()}
    save_file(wide, adapter / WEIGHTS)
    with pytest.raises(Invalid, match="another size"):
        engine.load(adapter)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "a..b", ".hidden", "a\\b", "a b", "a\n", "é", "a" * 129]
)
def test_a_name_that_could_be_a_path_is_no_name(name: str, adapter: Path) -> None:
    with pytest.raises(Invalid):
        check_name(name)
    assert Catalogue(adapter.parent).find(name) is None


def test_a_name_is_found_in_the_folder_and_what_was_added_goes_first(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    catalogue = Catalogue(adapter.parent)
    found = catalogue.find("adapter")
    assert found is not None
    assert found.folder == adapter
    assert catalogue.find("adapter") is found
    other = write_adapter(tmp_path / "elsewhere" / "x", base, seed=2)
    assert catalogue.add("adapter", other).folder == other
    assert catalogue.find("adapter") != found
    assert [name for name, _ in catalogue] == ["adapter"]
    catalogue.remove("adapter")
    again = catalogue.find("adapter")
    assert again is not None
    assert (again.folder, again == found) == (adapter, False)
