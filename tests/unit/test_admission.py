from __future__ import annotations

from typing import Any

import pytest

from footnote.addresses import LAST_PRECOMPILE, format_address
from footnote.errors import Invalid
from footnote.ids import sha256
from indexer.admission import MAX_ID_LENGTH, Defaults, admit
from indexer.readers.submission import Submission
from tests.corpus import ALICE, BOB, fields

TEXT = "Some text, exactly so.\r\n"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def shares(*pairs: tuple[str, object]) -> list[dict[str, object]]:
    return [{"address": address, "share_bps": share} for address, share in pairs]


def many(count: int) -> list[dict[str, object]]:
    each = 10_000 // count
    shares_ = [each] * (count - 1) + [10_000 - each * (count - 1)]
    return shares(*[(f"0x{1_000 + i:040x}", share) for i, share in enumerate(shares_)])


def submitted(**changes: Any) -> Submission:
    given = fields("doc", TEXT) | changes
    return Submission(str(given["id"]), given["text"], given)


def reason(submission: Submission, defaults: Defaults | None = None) -> str:
    with pytest.raises(Invalid) as caught:
        admit(submission, defaults or Defaults(), 5_000_000)
    assert caught.value.code == "document-refused"
    return caught.value.what


def test_a_document_keeps_what_it_was_given() -> None:
    document = admit(
        submitted(
            title=" A title ", url="https://example.org/a",
            contributors=[
                {"address": MIXED, "name": "Ada", "share_bps": 2_500},
                {"address": BOB, "share_bps": 7_500},
            ],
        ),
        Defaults(), 5_000_000,
    )  # fmt: skip
    assert document.document_id == "doc"
    assert document.version == sha256(TEXT.encode())
    assert (document.title, document.url, document.license) == (
        "A title", "https://example.org/a", "CC0-1.0",
    )  # fmt: skip
    assert [(format_address(c.address), c.name, c.share_bps) for c in document.contributors] == [
        (MIXED, "Ada", 2_500),
        (format_address(bytes.fromhex(BOB[2:])), None, 7_500),
    ]


@pytest.mark.parametrize(
    ("contributors", "expected"),
    [
        (None, "no contributor"),
        ([], "contributors must be a list of at least one"),
        (ALICE, "contributors must be a list of at least one"),
        ({"address": ALICE}, "contributors must be a list of at least one"),
        ([ALICE], "a contributor must have an address and a share"),
        ([{"share_bps": 10_000}], "a contributor without an address in quotes"),
        (shares((MIXED.swapcase().replace("X", "x"), 10_000)),
         "a contributor's address: an address does not match its EIP-55 checksum"),
        (shares(("alice.eth", 10_000)), "a contributor's address: not an Ethereum address"),
        (shares(("0x" + "0" * 40, 10_000)), "a contributor's address: the zero address"),
        (shares((f"0x{LAST_PRECOMPILE:040x}", 10_000)), "a contributor's address: a precompile"),
        (shares((ALICE, 5_000), (BOB, 4_999)), "shares that do not sum to 10,000 basis points"),
        (shares((ALICE, 5_000), (BOB, 5_001)), "shares that do not sum to 10,000 basis points"),
        (shares((ALICE, 5_000), ("0x" + "A1" * 20, 5_000)), "an address named twice"),
        (shares((ALICE, 10_000), (BOB, 0)),
         "a share that is not a positive whole number of basis points"),
        (shares((ALICE, 11_000), (BOB, -1_000)),
         "a share that is not a positive whole number of basis points"),
        (shares((ALICE, 5_000.0), (BOB, 5_000)),
         "a share that is not a positive whole number of basis points"),
        (shares((ALICE, True), (BOB, 9_999)),
         "a share that is not a positive whole number of basis points"),
        ([{"address": ALICE}, {"address": BOB}],
         "a share that is not a positive whole number of basis points"),
        (many(41), "more than 40 contributors"),
        ([{"address": ALICE, "name": "a\nb"}], "its name is not one line of text"),
        ([{"address": ALICE, "name": "Eve \u202e"}], "its name is not one line of text"),
    ],
)  # fmt: skip
def test_contributors_that_cannot_be_paid_are_refused(contributors: object, expected: str) -> None:
    assert reason(submitted(contributors=contributors)) == expected


def test_forty_contributors_are_admitted() -> None:
    assert len(admit(submitted(contributors=many(40)), Defaults(), 5_000_000).contributors) == 40


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": ""}, "no text"),
        ({"text": " \n\u3000"}, "no text"),
        ({"text": "a\x00b"}, "a NUL character in the text"),
        ({"text": "a\ud800"}, "a lone surrogate in the text, which is no character"),
        ({"license": None}, "no licence"),
        ({"license": "  "}, "no licence"),
        ({"license": 4}, "its license is not one line of text"),
        ({"title": "a\nb"}, "its title is not one line of text"),
        ({"title": "a\u2066b"}, "its title is not one line of text"),
        ({"title": "a\ud800"}, "its title is not one line of text"),
        ({"title": ["a"]}, "its title is not one line of text"),
        ({"url": "javascript:alert(1)"}, "its url is not an http or https address"),
        ({"url": "https://a b"}, "its url is not an http or https address"),
        ({"id": " "}, f"an id must be 1 to {MAX_ID_LENGTH} printable characters"),
        ({"id": ".."}, f"an id must be 1 to {MAX_ID_LENGTH} printable characters"),
        ({"id": "a\nb"}, f"an id must be 1 to {MAX_ID_LENGTH} printable characters"),
        ({"id": "a\udce9"}, f"an id must be 1 to {MAX_ID_LENGTH} printable characters"),
        ({"id": "x" * 513}, f"an id must be 1 to {MAX_ID_LENGTH} printable characters"),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert reason(submitted(**changes)) == expected


def test_a_text_is_measured_in_bytes() -> None:
    submission = submitted(text="é" * 50)
    assert admit(submission, Defaults(), 100).version == sha256(("é" * 50).encode())
    with pytest.raises(Invalid, match="text over 99 bytes"):
        admit(submission, Defaults(), 99)


def test_contributors_given_for_all_share_equally_to_the_last_basis_point() -> None:
    third = "0x" + "c2" * 20
    document = admit(
        submitted(contributors=None, license=None), Defaults((ALICE, BOB, third), "MIT"), 5_000_000
    )
    assert [c.share_bps for c in document.contributors] == [3_334, 3_333, 3_333]
    assert document.license == "MIT"


def test_a_documents_own_fields_win_over_those_given_for_all() -> None:
    document = admit(submitted(), Defaults((BOB,), "MIT"), 5_000_000)
    assert document.license == "CC0-1.0"
    assert [c.address.hex() for c in document.contributors] == [ALICE[2:]]


def test_one_contributor_alone_needs_no_share() -> None:
    document = admit(submitted(contributors=[{"address": ALICE}]), Defaults(), 5_000_000)
    assert document.contributors[0].share_bps == 10_000


def test_a_document_without_a_title_is_called_by_its_id() -> None:
    assert admit(submitted(), Defaults(), 5_000_000).title == "doc"
