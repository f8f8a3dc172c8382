"""Schemathesis over the OpenAPI document: no route breaks, and each keeps to what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.service import fuzz, served


@pytest.mark.timeout(280)
def test_no_request_that_a_machine_thinks_of_breaks_a_route(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    with served(tmp_path) as service:
        status = fuzz(service, 8, report, seed=7)
    assert status == 0, report.read_text()[-6_000:]
    assert "unforeseen" not in service.log.read_text()
