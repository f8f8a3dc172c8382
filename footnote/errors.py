"""What can go wrong, drawn by what the reader must do next.

    FootnoteError
    ├── Refused              change the request                4xx   exit 65
    │   ├── Invalid          its form is wrong                 422   exit 65
    │   ├── NotFound         name something that exists        404   exit 66
    │   ├── Conflict         it contradicts what is stored     409   exit 65
    │   ├── NoKey            show an API key that is valid     401   exit 77
    │   ├── Forbidden        the key does not allow it         403   exit 77
    │   └── TooMany          ask less often                    429   exit 75
    ├── Unavailable          try again                         503   exit 69
    │   ├── Busy             somebody else is at it            409   exit 75
    │   └── StorageFull      free some space                   507   exit 74
    └── Broken               stop, and tell a person           500   exit 70
        └── Misconfigured    a setting is wrong or missing     500   exit 78

Errors of outside libraries become one of these at the door that imports the library.
Exit codes follow BSD ``sysexits.h``; statuses are HTTP's.
"""

from __future__ import annotations

from typing import ClassVar


class FootnoteError(Exception):
    """An error with what happened and what to do about it; both are safe to show to anybody.

    ``code`` names the kind of error for programs, as the last part of a problem type.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70
    default_code: ClassVar[str] = "broken"

    def __init__(self, what: str, what_to_do: str, *, code: str | None = None) -> None:
        super().__init__(f"{what}: {what_to_do}")
        self.what = what
        self.what_to_do = what_to_do
        self.code = code or self.default_code


class Refused(FootnoteError):
    """The request cannot be served as it is."""

    status = 400
    exit_code = 65
    default_code = "refused"


class Invalid(Refused):
    """The request's form or content breaks a rule."""

    status = 422
    default_code = "invalid-request"


class NotFound(Refused):
    """The request names something that does not exist."""

    status = 404
    exit_code = 66
    default_code = "not-found"


class Conflict(Refused):
    """The request contradicts what is stored already."""

    status = 409
    default_code = "conflict"


class NoKey(Refused):
    """The request shows no API key, or none that is valid."""

    status = 401
    exit_code = 77
    default_code = "no-key"


class Forbidden(Refused):
    """The key that was shown does not allow this."""

    status = 403
    exit_code = 77
    default_code = "forbidden"


class TooMany(Refused):
    """Too many requests in too short a time."""

    status = 429
    exit_code = 75
    default_code = "too-many-requests"

    def __init__(
        self, what: str, what_to_do: str, *, code: str | None = None, retry_after_seconds: int = 1
    ) -> None:
        super().__init__(what, what_to_do, code=code)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(FootnoteError):
    """Something that is needed does not answer now."""

    status = 503
    exit_code = 69
    default_code = "unavailable"


class Busy(Unavailable):
    """Somebody else is doing this at the moment."""

    status = 409
    exit_code = 75
    default_code = "busy"

    def __init__(
        self, what: str, what_to_do: str, *, code: str | None = None, retry_after_seconds: int = 1
    ) -> None:
        super().__init__(what, what_to_do, code=code)
        self.retry_after_seconds = retry_after_seconds


class StorageFull(Unavailable):
    """The disk has no room for what must be durable."""

    status = 507
    exit_code = 74
    default_code = "storage-full"


class Broken(FootnoteError):
    """Something is wrong that neither waiting nor another request mends."""


class Misconfigured(Broken):
    """A setting is missing or cannot be used; the message names the variable."""

    exit_code = 78
    default_code = "misconfigured"
