"""Which Submissions become Documents, and the reason for those that do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footnote.addresses import parse_address
from footnote.errors import Invalid
from footnote.ids import version_of
from footnote.model import MAX_CONTRIBUTORS, Contributor, Document
from footnote.shares import BASIS_POINTS
from indexer.readers.submission import Submission
from rag.text.marks import instructions, instructs

MAX_ID_LENGTH = 512
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, what turns the direction of the writing around it, and lone
surrogates, which UTF-8 cannot say."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Fields for every document that names none itself."""

    contributors: tuple[str, ...] = ()
    license: str | None = None


def admit(submission: Submission, defaults: Defaults, max_bytes: int) -> Document:
    """The Document that a Submission describes.

    Raises:
        Invalid: with the reason; ``what`` alone is what a report shows.
    """
    fields = submission.fields
    text = submission.text
    _check_text(text, max_bytes)
    document_id = submission.document_id
    unusable = not document_id.strip() or document_id in (".", "..")  # no address leads to these
    if unusable or not _is_line(document_id, MAX_ID_LENGTH):
        raise _refusal(f"an id must be 1 to {MAX_ID_LENGTH} printable characters")
    license_ = _text_field(fields, "license") or defaults.license
    if not license_:
        raise _refusal("no licence")
    return Document(
        document_id=document_id,
        version=version_of(text),
        title=_text_field(fields, "title") or _heading(submission) or document_id,
        url=_url(_text_field(fields, "url")),
        license=license_,
        contributors=_contributors(fields.get("contributors"), defaults),
    )


def marks_of(submission: Submission, title: str) -> dict[str, int]:
    """How many passages a person does not see or are meant for machines, by kind; no entry where
    there is none. Neither refuses a document: an instruction is also what a text may be about."""
    found = {
        "hidden": submission.hidden,
        "instructions": len(instructions(submission.text)) + instructs(title),
    }
    return {kind: passages for kind, passages in found.items() if passages}


def _refusal(reason: str) -> Invalid:
    return Invalid(reason, "change the document and ingest it again", code="document-refused")


def _check_text(text: str, max_bytes: int) -> None:
    if not text.strip():
        raise _refusal("no text")
    if "\x00" in text:
        raise _refusal("a NUL character in the text")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise _refusal("a lone surrogate in the text, which is no character") from None
    if size > max_bytes:
        raise _refusal(f"text over {max_bytes:,} bytes")


def _is_line(text: str, longest: int) -> bool:
    return len(text) <= longest and not _NOT_PRINTABLE.search(text)


def _heading(submission: Submission) -> str | None:
    """The heading that a reader found, where it can serve as a title."""
    heading = (submission.heading or "").strip()
    return heading if _is_line(heading, 2_000) else None


def _text_field(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _is_line(value, 2_000):
        raise _refusal(f"its {name} is not one line of text")
    return value.strip() or None


def _url(url: str | None) -> str | None:
    if url is not None and not re.match(r"https?://\S+$", url):
        raise _refusal("its url is not an http or https address")
    return url


def _contributors(given: object, defaults: Defaults) -> tuple[Contributor, ...]:
    if given is None:
        if not defaults.contributors:
            raise _refusal("no contributor")
        given = _equal_shares(defaults.contributors)
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise _refusal("contributors must be a list of at least one")
    if len(given) > MAX_CONTRIBUTORS:
        raise _refusal(f"more than {MAX_CONTRIBUTORS} contributors")
    contributors = tuple(_contributor(entry, alone=len(given) == 1) for entry in given)
    if len({c.address for c in contributors}) != len(contributors):
        raise _refusal("an address named twice")
    if sum(c.share_bps for c in contributors) != BASIS_POINTS:
        raise _refusal(f"shares that do not sum to {BASIS_POINTS:,} basis points")
    return contributors


def _equal_shares(addresses: tuple[str, ...]) -> list[dict[str, Any]]:
    each, rest = divmod(BASIS_POINTS, len(addresses))
    return [
        {"address": address, "share_bps": each + (1 if i < rest else 0)}
        for i, address in enumerate(addresses)
    ]


def _contributor(entry: object, *, alone: bool) -> Contributor:
    if not isinstance(entry, Mapping):
        raise _refusal("a contributor must have an address and a share")
    address = entry.get("address")
    if not isinstance(address, str):
        raise _refusal("a contributor without an address in quotes")
    try:
        parsed = parse_address(address)
    except Invalid as error:
        raise _refusal(f"a contributor's address: {error.what}") from error
    share = entry.get("share_bps", BASIS_POINTS if alone else None)
    if not isinstance(share, int) or isinstance(share, bool) or share <= 0:
        raise _refusal("a share that is not a positive whole number of basis points")
    return Contributor(parsed, share, _text_field(entry, "name"))
