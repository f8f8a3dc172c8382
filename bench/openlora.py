"""A thousand adapters over one base, in the server as it is started.

    python -m bench.openlora MODELS [--adapters 1000] [--requests 1000] [--bar 3]

MODELS holds a base model's folder and ``adapters/`` with at least one adapter for it, such as
``tests/fixtures/openlora``. Copies of that adapter, each with weights of its own, are asked
through a server that keeps 32 of them:

- a skewed stream: no error may come back, and memory must not grow from its second third on;
- eight adapters at once, against one after another: the bar is on the ratio of tokens a second;
- an adapter that is in memory against one that is on disk: the cost of a cold one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import torch
from safetensors.torch import load_file, save_file

from cli.stack import FOOTNOTE, Stack, clean_environment, free_port

RESIDENT = 32
AT_ONCE = 8
REPLY_TOKENS = 64
PROMPT = "When was the old bridge built?"
MOST_GROWTH = 0.03
"""Of the server's memory over the last two thirds of the stream."""


def multiply(adapter: Path, folder: Path, count: int) -> list[str]:
    """``count`` copies of ``adapter``, each a little different."""
    weights = load_file(adapter / "adapter_model.safetensors")
    names = [f"bench-{number:04}" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        shutil.copy(adapter / "adapter_config.json", folder / name)
        generator = torch.Generator().manual_seed(number)
        changed = {
            key: tensor + 0.01 * torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
            for key, tensor in weights.items()
        }
        save_file(changed, folder / name / "adapter_model.safetensors")
    return names


def skewed(names: Sequence[str], count: int, seed: int) -> list[str]:
    """Requests by Zipf's law: the n-th adapter is asked for 1/n as often as the first."""
    weights = [1 / rank for rank in range(1, len(names) + 1)]
    return random.Random(seed).choices(list(names), weights, k=count)


class Served:
    """A running server and what it is asked."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self._client = httpx.Client(
            base_url=url, timeout=120, limits=httpx.Limits(max_connections=64)
        )
        self._process = process

    def ask(self, adapter: str, tokens: int) -> float:
        """Seconds that one reply took; raises for anything but a whole reply."""
        began = time.perf_counter()
        body = {
            "model": adapter,
            "prompt": PROMPT,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
        }
        reply = self._client.post("/v1/completions", json=body)
        reply.raise_for_status()
        assert reply.json()["usage"]["completion_tokens"] == tokens
        return time.perf_counter() - began

    def metric(self, name: str) -> float:
        text = self._client.get("/metrics").text
        return float(next(li for li in text.splitlines() if li.startswith(f"{name} ")).split()[1])

    @property
    def memory(self) -> int:
        return int(self._process.memory_info().rss)


def stream(served: Served, names: Sequence[str], requests: int) -> dict[str, object]:
    """Sixteen clients over a skewed choice of adapters, in nine parts."""
    errors: list[str] = []

    def one(adapter: str) -> float | None:
        try:
            return served.ask(adapter, 8)
        except (httpx.HTTPError, AssertionError) as error:
            errors.append(repr(error))
            return None

    asked = skewed(names, requests, seed=1)
    memory = []
    seconds: list[float] = []
    part = -(-len(asked) // 9)
    with ThreadPoolExecutor(16) as pool:
        for start in range(0, len(asked), part):
            seconds += [s for s in pool.map(one, asked[start : start + part]) if s is not None]
            memory.append(served.memory)
    settled = max(memory[:3])
    return {
        "requests": len(asked),
        "adapters_asked": len(set(asked)),
        "errors": errors[:5],
        "error_count": len(errors),
        "p50_ms": round(statistics.median(seconds) * 1_000, 1),
        "p95_ms": round(sorted(seconds)[int(len(seconds) * 0.95)] * 1_000, 1),
        "memory_mb": [round(m / 1e6) for m in memory],
        "memory_growth": round((memory[-1] - settled) / settled, 4),
    }


def throughput(served: Served, names: Sequence[str]) -> dict[str, float]:
    """Tokens a second: eight adapters at once, and the same requests one after another."""
    rounds = 4
    for name in names:
        served.ask(name, 4)
    together, alone = [], []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(rounds):  # in turns: the machine has its moods
            began = time.perf_counter()
            list(pool.map(lambda name: served.ask(name, REPLY_TOKENS), names))
            together.append(time.perf_counter() - began)
            began = time.perf_counter()
            for name in names:
                served.ask(name, REPLY_TOKENS)
            alone.append(time.perf_counter() - began)
    tokens = len(names) * REPLY_TOKENS
    return {
        "mixed_tokens_per_second": round(tokens / statistics.median(together)),
        "one_at_a_time_tokens_per_second": round(tokens / statistics.median(alone)),
        "ratio": round(statistics.median(alone) / statistics.median(together), 2),
    }


def cold(served: Served, names: Sequence[str]) -> dict[str, float]:
    """The first reply of an adapter against its second, one token each."""
    firsts, seconds = [], []
    for name in names:
        firsts.append(served.ask(name, 1))
        seconds.append(served.ask(name, 1))
    first, second = statistics.median(firsts) * 1_000, statistics.median(seconds) * 1_000
    return {
        "cold_ms": round(first, 1),
        "warm_ms": round(second, 1),
        "cold_costs_ms": round(first - second, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", type=Path)
    parser.add_argument("--adapters", type=int, default=1_000)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--bar", type=float, default=3.0)
    arguments = parser.parse_args()
    (base,) = {path.parent for path in arguments.models.glob("*/config.json")}
    original = sorted((arguments.models / "adapters").iterdir())[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = multiply(original, folder / "adapters", arguments.adapters)
        environment = clean_environment() | {"OMP_NUM_THREADS": "1"}
        with Stack(folder, environment) as stack:
            port = free_port()
            stack.start(
                "openlora",
                [*FOOTNOTE, "openlora", "serve", "--base", str(base), "--adapters",
                 str(folder / "adapters"), "--port", str(port), "--max-adapters", str(RESIDENT)],
            )  # fmt: skip
            url = f"http://127.0.0.1:{port}"
            stack.wait_http(f"{url}/health")
            served = Served(url, psutil.Process(stack.pid("openlora")))
            speed = throughput(served, names[:AT_ONCE])
            price = cold(served, names[100:140])
            streamed = stream(served, names, arguments.requests)
            counted = {
                name: served.metric(f"openlora_{name}")
                for name in ("resident", "loads_total", "evictions_total", "load_failures_total")
            }
            loading = served.metric("openlora_load_seconds_total")
    result: dict[str, object] = {
        "adapters": len(names),
        **speed,
        **price,
        "load_ms": round(loading / counted["loads_total"] * 1_000, 2),
        "stream": streamed,
        **counted,
        "bar": arguments.bar,
    }
    result["passed"] = (
        speed["ratio"] >= arguments.bar
        and streamed["error_count"] == 0
        and counted["resident"] <= RESIDENT
        and float(str(streamed["memory_growth"])) <= MOST_GROWTH
    )
    print(json.dumps(result))
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
