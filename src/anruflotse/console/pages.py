"""The pages, in German; whatever can go wrong is told in German too, and never with a traceback."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request

from anruflotse.console.guard import SECURITY_HEADERS, SecurityHeaders, from_this_machine
from anruflotse.console.health import Health
from anruflotse.notice import STYLE

FORBIDDEN, NOT_FOUND, WRONG_METHOD, BROKEN, NOT_READY = 403, 404, 405, 500, 503
_FAULTS = {
    FORBIDDEN: ("Kein Zugriff", "Diese Auskunft gibt das System nur auf dem Rechner selbst."),
    NOT_FOUND: ("Seite nicht gefunden", "Unter dieser Adresse gibt es hier keine Seite."),
    WRONG_METHOD: ("So nicht möglich", "Diese Seite kann nur gelesen werden."),
    BROKEN: ("Störung", "Die Seite kann gerade nicht angezeigt werden. Bitte versuchen Sie es später noch einmal."),
}
_OTHER_FAULT = ("Anfrage nicht möglich", "Diese Anfrage kann das System nicht beantworten.")
_READ = ["GET", "HEAD"]
_ENVIRONMENT = Environment(
    loader=PackageLoader("anruflotse.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def build(
    notice_html: Callable[[], str],
    health: Callable[[], Health],
    metrics: CollectorRegistry,
    earlier_notice: Callable[[str], str | None] = lambda _version: None,
) -> FastAPI:
    """The web application.

    Public: `/`, `/datenschutzhinweis` and, for what callers were told earlier, `/datenschutzhinweis/VERSION`.
    To programs on this machine only: `/live` (the process answers), `/ready` (200 when calls are taken, else 503)
    and `/metrics` (Prometheus). `notice_html` gives the complete page with the style sheet `anruflotse.notice.STYLE`;
    it, `earlier_notice` and `health` are called on the event loop for every request and must not block.
    """
    app = FastAPI(title="Anruflotse", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(SecurityHeaders)

    @app.api_route("/", methods=_READ)
    async def home() -> HTMLResponse:
        return HTMLResponse(_ENVIRONMENT.get_template("home.html").render(style=_style()))

    @app.api_route("/datenschutzhinweis", methods=_READ)
    async def notice() -> HTMLResponse:
        return HTMLResponse(notice_html())

    @app.api_route("/datenschutzhinweis/{version}", methods=_READ)
    async def edition(version: str) -> HTMLResponse:
        page = earlier_notice(version)
        if page is None:
            raise HTTPException(NOT_FOUND)
        return HTMLResponse(page)

    @app.api_route("/live", methods=_READ)
    async def live(request: Request) -> JSONResponse:
        _only_here(request)
        return JSONResponse({"live": True})

    @app.api_route("/ready", methods=_READ)
    async def ready(request: Request) -> JSONResponse:
        _only_here(request)
        found = health()
        return JSONResponse(
            {"ready": found.ready, "parts": dict(found.parts)}, status_code=200 if found.ready else NOT_READY
        )

    @app.api_route("/metrics", methods=_READ)
    async def counters(request: Request) -> Response:
        _only_here(request)
        return Response(generate_latest(metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.exception_handler(StarletteHTTPException)
    async def refused(_request: Request, fault: StarletteHTTPException) -> HTMLResponse:
        return _fault_page(fault.status_code, dict(fault.headers or {}))

    @app.exception_handler(Exception)
    async def broken(_request: Request, _fault: Exception) -> HTMLResponse:
        # This handler answers outside every middleware.
        return _fault_page(BROKEN, dict(SECURITY_HEADERS))

    return app


def _only_here(request: Request) -> None:
    if not from_this_machine(request):
        raise HTTPException(FORBIDDEN)


def _fault_page(status: int, headers: dict[str, str]) -> HTMLResponse:
    title, text = _FAULTS.get(status, _OTHER_FAULT)
    page = _ENVIRONMENT.get_template("fault.html").render(title=title, text=text, style=_style())
    return HTMLResponse(page, status_code=status, headers=headers)


def _style() -> Markup:
    return Markup(STYLE)  # noqa: S704 - our own file, and the page's policy admits exactly this text
