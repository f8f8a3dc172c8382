"""Telling a running model server which adapters there are. Each engine has its own way, or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from footnote.errors import Broken, Misconfigured, Unavailable

if TYPE_CHECKING:
    import httpx

Engine = Literal["none", "vllm", "lorax"]
TIMEOUT_SECONDS = 120.0
"""Loading reads weights from disk."""


class AdapterAdmin(Protocol):
    """Raises Unavailable where the server does not answer, and Broken where it refuses."""

    def load(self, adapter_id: str, folder: Path) -> None:
        """Have the server serve the adapter in ``folder``, as the server sees it; one that is
        loaded already is none of its business."""

    def unload(self, adapter_id: str) -> None:
        """Have the server forget it; one that it does not know is forgotten."""


class NoAdmin:
    """A server that finds adapters itself: LoRAX on request, ours and vLLM's resolver in a
    folder."""

    def load(self, adapter_id: str, folder: Path) -> None: ...

    def unload(self, adapter_id: str) -> None: ...


class VllmAdmin:
    """vLLM's two routes, which ours has too. vLLM wants VLLM_ALLOW_RUNTIME_LORA_UPDATING."""

    def __init__(self, base_url: str, token: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def load(self, adapter_id: str, folder: Path) -> None:
        said = self._post("load_lora_adapter", {"lora_name": adapter_id, "lora_path": str(folder)})
        if said is not None and "already" not in said:
            raise Broken(f"the model server does not load the adapter ({said})", "see its log")

    def unload(self, adapter_id: str) -> None:
        said = self._post("unload_lora_adapter", {"lora_name": adapter_id})
        if said is not None and "cannot be found" not in said:
            raise Broken(f"the model server does not unload the adapter ({said})", "see its log")

    def _post(self, route: str, body: dict[str, str]) -> str | None:
        """What the server said against it, or None."""
        import httpx

        try:
            reply = httpx.post(
                f"{self._base_url}/{route}", json=body, headers=self._headers,
                timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        except httpx.HTTPError as error:
            raise Unavailable("the model server does not answer", "try again shortly") from error
        if reply.is_success:
            return None
        said = _message(reply)
        if reply.status_code in (401, 403):
            raise Misconfigured(
                "the model server refuses to load adapters",
                "set FOOTNOTE_OPENLORA_ADMIN_TOKEN_FILE",
            )
        if reply.status_code in (404, 405) and "adapter" not in said:
            raise Misconfigured(
                "the model server loads no adapters while it runs",
                "start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or ours with an admin "
                "token; or set FOOTNOTE_OPENLORA_ADMIN to none",
            )
        if reply.is_server_error:
            raise Unavailable(f"the model server does not answer ({said})", "try again shortly")
        return said


def _message(reply: httpx.Response) -> str:
    try:
        body: Any = reply.json()
        error = body.get("error", body)
        return " ".join(str(error.get("message", error)).split())[:200]
    except (ValueError, AttributeError):
        return reply.text[:200]


def admin_of(engine: Engine, base_url: str, token_file: Path | None) -> AdapterAdmin:
    """The driver for an engine."""
    if engine != "vllm":
        return NoAdmin()
    return VllmAdmin(base_url, token_file.read_text().strip() if token_file else None)
