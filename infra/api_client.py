"""Call the runtime's HTTP API for commands: JSON in and out; each error response becomes an error with an exit code."""

import re
from types import TracebackType
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from infra.config.listen_address import http_url
from infra.config.service_urls import with_running_address
from infra.config.settings import Settings
from infra.errors import InfraError, SettingsError
from schema import exact_json

# A server that listens on all addresses is called at the loopback address.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
CONNECT_S = 5.0
DEFAULT_TIMEOUT_S = 30.0
USAGE_CODE, NOT_FOUND_CODE = 2, 4
MIN_ID_DIGITS, MAX_CANDIDATES = 6, 6
EXIT_CODES: dict[int, int] = {
    httpx.codes.BAD_REQUEST: USAGE_CODE,
    httpx.codes.NOT_FOUND: NOT_FOUND_CODE,
    httpx.codes.REQUEST_ENTITY_TOO_LARGE: USAGE_CODE,
    httpx.codes.UNSUPPORTED_MEDIA_TYPE: USAGE_CODE,
    httpx.codes.UNPROCESSABLE_ENTITY: USAGE_CODE,
}


class ApiError(InfraError):
    """The runtime rejected the call. The message is the runtime's own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.exit_code = EXIT_CODES.get(status, 1)


class RequestIdError(ApiError):
    """No request ID starts with the given digits, or several do."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, httpx.codes.NOT_FOUND)
        self.exit_code = exit_code


class UnreachableError(InfraError):
    """The runtime does not answer, or answers that it is unavailable."""

    exit_code = 3


class Client:
    """Call the runtime at one address. Every call raises ApiError or UnreachableError."""

    def __init__(
        self, url: str, api_key: str | None = None, hint: str = "start it with `localfn up`, or set PORT to its port"
    ) -> None:
        """Prepare a connection; send nothing yet. hint: the next step to show when the runtime does not answer."""
        self.url, self._hint = url, hint
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        # The environment's proxies are ignored: the runtime runs on this machine or one hop away.
        self._http = httpx.Client(base_url=url, trust_env=False, headers=headers)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, **query: object) -> Any:
        """Return the JSON at `path`. query: parameters; None is omitted. timeout_s: limit for the response."""
        return self._json(self._send("GET", path, timeout_s=timeout_s, params=_query_parameters(query)))

    def get_lines(self, path: str, **query: object) -> tuple[list[str], str]:
        """Return the log lines at `path`, and the cursor behind the last one."""
        answer = self._send("GET", path, params=_query_parameters(query))
        return answer.text.split("\n")[:-1], answer.headers.get("Next-After", "")

    def resolve_id(self, typed: str) -> str:
        """Return the ID of the only request whose ID starts with these digits. Return other text unchanged.

        IDs are sorted: the newest requests before the first ID without this prefix are the candidates.
        Raises RequestIdError.
        """
        digits = typed.replace("-", "").lower()
        if not re.fullmatch(r"[0-9a-f]{1,31}", digits):
            return typed
        if len(digits) < MIN_ID_DIGITS:
            raise RequestIdError(f"{typed!r} is too short for an id; give at least {MIN_ID_DIGITS} digits.", USAGE_CODE)
        items = self.get("/api/requests", cursor=first_id_after(digits), limit=MAX_CANDIDATES)["items"]
        ids = [item["id"] for item in items if item["id"].replace("-", "").startswith(digits)]
        if not ids:
            raise RequestIdError(f"no request has an id that starts with {typed!r}.", NOT_FOUND_CODE)
        if len(ids) > 1:
            more = ", …" if len(ids) == MAX_CANDIDATES else ""
            matches = f"{', '.join(ids)}{more}"
            raise RequestIdError(f"{typed!r} matches several requests: {matches}; give more digits.", USAGE_CODE)
        found: str = ids[0]
        return found

    def post(self, path: str, *, query: dict[str, object] | None = None, **body: Any) -> Any:
        """Send a POST request. body: arguments of httpx: content, files, headers, json."""
        return self._json(self._send("POST", path, params=_query_parameters(query or {}), **body))

    def patch(self, path: str, **body: Any) -> Any:
        """Send a PATCH request. body: see `post`."""
        return self._json(self._send("PATCH", path, **body))

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def _send(self, method: str, path: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, **options: Any) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        if "json" in options:
            options["content"] = exact_json.write(options.pop("json"))
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        try:
            answer = self._http.request(method, path, timeout=timeout, **options)
        except httpx.ConnectError:
            raise UnreachableError(f"no runtime answers at {self.url}; {self._hint}.") from None
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"the connection to the runtime at {self.url} broke: {reason}") from error
        if not answer.is_success:
            raise self._error_from(answer)
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return exact_json.read(answer.content)
        except ValueError:
            raise self._not_localfn(answer) from None

    def _error_from(self, answer: httpx.Response) -> InfraError:
        if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
            return self._not_localfn(answer)
        try:
            message = problem_message(answer.json())
        except (ValueError, AttributeError):
            return self._not_localfn(answer)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return UnreachableError(message)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            message = "this call needs an API key: set LOCALFN_API_KEY, or create a key with `localfn keys create`."
        return ApiError(message, answer.status_code)

    def _not_localfn(self, answer: httpx.Response) -> UnreachableError:
        """Report another program on the port: macOS, for example, listens on 5000."""
        return UnreachableError(
            f"{self.url} answers, but is not localfn (HTTP {answer.status_code}); correct PORT or LOCALFN_URL."
        )


def connect(settings: Settings) -> Client:
    """Return a client for LOCALFN_URL, for PORT, or for the running `up` of this home. Send nothing yet."""
    settings = with_running_address(settings)
    try:
        if settings.url:
            return Client(settings.url, settings.api_key, "start that runtime, or correct LOCALFN_URL")
        return Client(http_url(LOOPBACK_OF.get(settings.host, settings.host), settings.port), settings.api_key)
    except httpx.InvalidURL as error:
        name, value = ("LOCALFN_URL", settings.url) if settings.url else ("HOST", settings.host)
        raise SettingsError(f"{name} {value!r} is not a valid address.") from error


def first_id_after(digits: str) -> UUID:
    """Return the first ID above all IDs that start with these hexadecimal digits; at most the highest possible ID."""
    return UUID(int=min(int(digits.ljust(32, "f"), 16) + 1, 2**128 - 1))


def function_path(name: str) -> str:
    return f"/api/functions/{_quote_segment(name)}"


def request_path(request_id: str, part: str = "") -> str:
    """Return the path of a request or of a part of it. part: `result`, `logs` and others."""
    return f"/api/requests/{_quote_segment(request_id)}" + (f"/{part}" if part else "")


def schedule_path(name: str, part: str = "") -> str:
    """Return the path of a schedule or of a part of it. part: `run`, `next`."""
    return f"/api/schedules/{_quote_segment(name)}" + (f"/{part}" if part else "")


def problem_message(problem: dict[str, Any]) -> str:
    """Format a problem document (RFC 9457) as one line: its detail, and the errors that the detail does not name."""
    detail = str(problem.get("detail") or problem.get("title") or "the runtime gave no reason")
    errors = [f"{error.get('field')}: {error.get('detail')}" for error in problem.get("errors") or ()]
    unnamed = [error for error in errors if error not in detail]
    return f"{detail} ({'; '.join(unnamed)})" if unnamed else detail


def _quote_segment(text: str) -> str:
    # Python represents the bytes of an argument that is not UTF-8 as surrogates.
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def _query_parameters(query: dict[str, object]) -> dict[str, str]:
    given = {name: value for name, value in query.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
