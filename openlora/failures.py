"""What a client is told when something goes wrong, in vLLM's words and OpenAI's shape."""

from __future__ import annotations

from typing import Any

from footnote.errors import FootnoteError, Refused
from openlora.generation import describe


class Failure(Exception):
    """An error of one request: an HTTP status and what the body says."""

    def __init__(self, status: int, kind: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.param = status, kind, message, param

    @property
    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.status,
            }
        }


def bad_request(message: str, param: str | None = None) -> Failure:
    return Failure(400, "BadRequestError", message, param)


def bad_input(message: str) -> Failure:
    """Of the routes that load and unload."""
    return Failure(400, "InvalidUserInput", message)


def unknown_model(name: str) -> Failure:
    return Failure(404, "NotFoundError", f"The model `{describe(name)}` does not exist.", "model")


def unknown_adapter(name: str) -> Failure:
    message = f"The lora adapter '{describe(name)}' cannot be found."
    return Failure(404, "NotFoundError", message)


def queue_full() -> Failure:
    return Failure(429, "RateLimitError", "Too many requests wait already. Try again shortly.")


def too_late(seconds: float) -> Failure:
    return Failure(504, "TimeoutError", f"The request took longer than {seconds:g} seconds.")


def stopping() -> Failure:
    return Failure(503, "ServiceUnavailableError", "The server is stopping. Try again shortly.")


def broken() -> Failure:
    return Failure(500, "InternalServerError", "The model failed; the server's log says how.")


def no_numbers() -> Failure:
    message = "The model computed no finite numbers with this adapter and prompt."
    return Failure(500, "InternalServerError", message)


def too_long(context: int, prompt: int, reply: int) -> Failure:
    return bad_request(
        f"This model's maximum context length is {context} tokens. However, you requested "
        f"{reply} output tokens and your prompt contains {prompt} input tokens, for a total of "
        f"{prompt + reply} tokens. Please reduce the length of the prompt or the number of "
        "requested output tokens.",
        "input_tokens",
    )


def too_many_characters(context: int, characters: int) -> Failure:
    """Told before a long text is cut into tokens."""
    return bad_request(
        f"This model's maximum context length is {context} tokens, and no {characters} characters "
        "fit into it. Please reduce the length of the prompt.",
        "input_tokens",
    )


def of_error(error: FootnoteError) -> Failure:
    """Of an error of ours: what the adapter lacks, say."""
    if isinstance(error, Refused):
        return bad_request(f"{error.what}: {error.what_to_do}")
    return broken()
