"""Request bodies, as OpenAI and vLLM shape them. Unknown fields are ignored, as vLLM does; those
that would change the reply and are not served are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openlora.failures import bad_request
from openlora.generation import Sampling

MAX_LOGPROBS = 20

_NOT_SERVED: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": (),
    "logit_bias": (),
    "min_p": (0,),
    "n": (1,),
    "presence_penalty": (0,),
    "prompt_logprobs": (),
    "repetition_penalty": (1,),
    "response_format": ({"type": "text"},),
    "structured_outputs": (),
    "suffix": (),
    "tools": (),
    "top_k": (0, -1),
    "use_beam_search": (),
}
"""Fields that would change a reply, and the values that would not."""

Count = Annotated[int, Field(ge=0)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]


class StreamOptions(BaseModel):
    include_usage: bool = False


class Part(BaseModel):
    """Of a message's content; text only."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Generation(BaseModel):
    """What chats and completions share."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    ignore_eos: bool = False

    def check(self) -> None:
        """Raises Failure where the body asks for what is not served."""
        for name, harmless in _NOT_SERVED.items():
            value = (self.model_extra or {}).get(name)
            if value and value not in harmless:
                raise bad_request(f"{name} is not served here.", name)

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def counts_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self, logprobs: int | None) -> Sampling:
        temperature = 1.0 if self.temperature is None else self.temperature
        top_p = 1.0 if self.top_p is None else self.top_p
        return Sampling(temperature, top_p, self.seed, logprobs)


class ChatBody(Generation):
    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None


class CompletionBody(Generation):
    prompt: str | list[Count] | list[str] | list[list[Count]]
    max_tokens: Count | None = 16
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    add_special_tokens: bool = True

    @property
    def prompts(self) -> list[str | list[int]]:
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        if all(isinstance(one, int) for one in prompt):
            return [[one for one in prompt if isinstance(one, int)]]
        return [one for one in prompt if not isinstance(one, int)]


class TokenizeBody(BaseModel):
    model: str | None = None
    prompt: str | None = None
    messages: list[Message] | None = None
    add_special_tokens: bool = True
    add_generation_prompt: bool = True


class LoadBody(BaseModel):
    """Missing fields are told in vLLM's words."""

    lora_name: str = ""
    lora_path: str = ""
    load_inplace: bool = False


class UnloadBody(BaseModel):
    lora_name: str = ""
    lora_int_id: int | None = None
