from __future__ import annotations

import pytest

from footnote.strict_json import loads


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ('"\\ud83d\\ude00 é"'.encode(), "😀 é"),
        (b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}),
    ],
)
def test_plain_json_is_read(data: bytes, value: object) -> None:
    assert loads(data) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b'[{"b": {"a": 1, "a": 1}}]', "a key stands twice"),
        (b'{"a": NaN}', "NaN and Infinity are not JSON"),
        (b"[-Infinity]", "NaN and Infinity are not JSON"),
        (b"[1e999]", "a number out of range"),
        (b"[" + b"9" * 5_000 + b"]", "a number out of range"),
        (b'{"a": "\\ud800"}', "a lone surrogate, which is no character"),
        (b'{"\\udfff": 1}', "a lone surrogate, which is no character"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_each_trap_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        loads(data)


@pytest.mark.parametrize("data", [b"", b"{", b"{'a': 1}", b'{"a": 1} x', b"secret"])
def test_what_is_no_json_is_refused_without_echoing_it(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not JSON \(.*column \d+\)$") as caught:
        loads(data)
    assert "secret" not in str(caught.value)
