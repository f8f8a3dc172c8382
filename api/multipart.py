"""Forms with files (RFC 7578), part by part while they stream. The door of python-multipart."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.uploads import Incoming, Malformed, WrongKind
from footnote.errors import Invalid
from footnote.model import MAX_CONTRIBUTORS

MAX_FIELDS = MAX_CONTRIBUTORS + 1
MAX_FIELD_BYTES = 1_000
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 4_096
_FILE_FIELDS = ("file", "files")
_PLAIN_ENCODINGS = (b"7bit", b"8bit", b"binary")


class Form:
    """Puts the parts of one form into ``upload`` as they come.

    Raises, of any method: Malformed, WrongKind, Invalid.
    """

    def __init__(self, content_type: str, upload: Incoming) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise Malformed("the form names no boundary", "let your HTTP client write the header")
        if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            raise WrongKind("the form is not in UTF-8", "send it in UTF-8")
        self._upload = upload
        self._fields = 0
        self._whole = False
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._field: str | None = None
        self._value = bytearray()
        with _Readable():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._take_header_name,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin,
                    "on_part_data": self._take,
                    "on_part_end": self._end,
                    "on_end": self._end_form,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )

    def feed(self, data: bytes) -> None:
        """The next bytes of the body."""
        with _Readable():
            self._parser.write(data)

    def finish(self) -> None:
        """The body ended; so must the form have."""
        with _Readable():
            self._parser.finalize()
        if not self._whole:
            raise Malformed("the form ends in the middle", "send it again, whole")

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.lower()
        if name in self._headers:
            raise Malformed("a part names a header twice", "let your HTTP client write the form")
        self._headers[name] = self._header_value
        self._header_name = self._header_value = b""

    def _begin(self) -> None:
        kind, options = parse_options_header(
            self._headers.get(b"content-disposition", b"").decode("latin-1")
        )
        name = options.get(b"name", b"")
        if kind != b"form-data" or not name:
            raise Malformed("a part without a name", "let your HTTP client write the form")
        if self._headers.get(b"content-type", b"").strip().lower().startswith(b"multipart/"):
            raise Invalid("a form within the form", "send each file as a part of its own")
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            raise Invalid("a part in another encoding", "send files as they are")
        self._field = _text(name)
        if b"filename" in options:
            if self._field not in _FILE_FIELDS:
                raise _unknown()
            self._upload.begin(_text(options[b"filename"]))
            self._field = None
        elif self._field not in ("contributor", "contributors", "license"):
            raise _unknown()

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._upload.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise Invalid("a field is too long", f"keep it within {MAX_FIELD_BYTES:,} bytes")

    def _end(self) -> None:
        if self._field is None:
            self._upload.end()
            return
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise Invalid("too many fields", f"send at most {MAX_FIELDS}")
        value = _text(bytes(self._value))
        self._value.clear()
        if self._field == "license":
            if self._upload.license is not None:
                raise Invalid("two licences", "name one for all that name none")
            self._upload.license = value
        else:
            self._upload.contributors.append(value)

    def _end_form(self) -> None:
        self._whole = True


class _Readable:
    """The parser's errors as ours."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FormParserError):
            raise Malformed("the form cannot be read", "let your HTTP client write it") from error


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("a name or field is not UTF-8", "send the form in UTF-8") from None


def _unknown() -> Invalid:
    return Invalid(
        "a field that is unknown",
        "send file, contributor and license",
        code="unknown-field",
    )
