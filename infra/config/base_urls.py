"""Normalise the base URLs of the SPA and the API into a form that is safe to write into code.

A base URL is a path or a URL. Characters that are invalid in a URL, or that could end a string in JavaScript or CSS,
are percent-encoded; browsers treat the result as the same address. In HTML, only `&` needs escaping.
"""

import re
from urllib.parse import quote, urlsplit

from infra.errors import SettingsError

UNESCAPED = "/%:@!$&*+,;=-._~"  # the characters of a path (RFC 3986), except quotes and brackets
HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def normalise_root(name: str, value: str) -> str:
    """Return `value` in its normal form, without a trailing slash. Raises SettingsError, which names the variable."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise SettingsError(f"{name}: the value contains a control character; remove it.")
    if "?" in value or "#" in value:
        raise SettingsError(f"{name}: {value!r} has a query or a fragment; use a path or a URL without either.")
    origin, path = _split(name, value)
    if {".", ".."} & set(path.split("/")):
        raise SettingsError(f"{name}: the path of {value!r} contains . or ..; write the path without them.")
    try:
        encoded = quote(BARE_PERCENT.sub("%25", path), safe=UNESCAPED)
    except UnicodeEncodeError:
        raise SettingsError(f"{name}: the value is not valid UTF-8.") from None
    return origin + encoded.rstrip("/")


def origin(root: str) -> str:
    """Return scheme, host and port of a normalised base URL; "" for a path."""
    return "" if root.startswith("/") or not root else "/".join(root.split("/")[:3])


def path(root: str) -> str:
    """Return the path of a normalised base URL, without a trailing slash."""
    return root.removeprefix(origin(root))


def _split(name: str, value: str) -> tuple[str, str]:
    # Browsers take // and /\ at the start of a path as the start of another host.
    if value.startswith("/") and value[1:2] not in ("/", "\\"):
        return "", value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{name}: {value!r} is not a valid URL: {error}.") from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.removesuffix(":")
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise SettingsError(f"{name}: {value!r} is not valid; use a path that starts with one /, or an http(s) URL.")
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}"), parts.path
