"""The HTTP application: vLLM's routes over a Service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from footnote.errors import FootnoteError
from openlora.bodies import BoundedBodies
from openlora.failures import Failure, bad_request, of_error
from openlora.routes import adapters, generate, state
from openlora.service import Service


def build_app(service: Service) -> FastAPI:
    """The application over ``service``; its batcher runs while the application does."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        service.batcher.close()

    app = FastAPI(title="OpenLoRA", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(BoundedBodies)
    app.add_exception_handler(Failure, _failed)
    app.add_exception_handler(FootnoteError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _no_route)
    for module in (generate, state):
        app.include_router(module.router)
    if service.admin_token is not None:
        app.include_router(adapters.router)
    return app


def _failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Failure)
    headers = {"Retry-After": "1"} if error.status in (429, 503) else None
    return JSONResponse(error.body, error.status, headers)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FootnoteError)
    return _failed(request, of_error(error))


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return _failed(request, bad_request(f"{place or 'body'}: {first['msg']}", place or None))


def _no_route(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = {404: "NotFoundError", 405: "MethodNotAllowed"}.get(error.status_code, "BadRequestError")
    failure = Failure(error.status_code, kind, str(error.detail))
    return JSONResponse(failure.body, error.status_code)
