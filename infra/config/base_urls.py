"""Under which address the screen and the API are found: a path or a URL, in one form that is safe to write into code.

What a URL may not hold, and what could end a string in JavaScript or CSS, is percent-encoded: to a browser the address
stays the same. So the normal form means nothing in either language, and in HTML only `&` does.
"""

import re
from urllib.parse import quote, urlsplit

from infra.errors import SettingsError

UNESCAPED = "/%:@!$&*+,;=-._~"  # of the characters of a path (RFC 3986) all but quotes and brackets
HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def normalise_root(name: str, value: str) -> str:
    """`value` in its normal form, without a slash at its end. Raises SettingsError, which names the variable."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise SettingsError(f"{name}: it holds a control character.")
    if "?" in value or "#" in value:
        raise SettingsError(f"{name}: {value!r} has a query or a fragment; a path or a URL without one is needed.")
    origin, path = _split(name, value)
    if {".", ".."} & set(path.split("/")):
        raise SettingsError(f"{name}: {value!r} has a part . or .. in its path.")
    try:
        encoded = quote(BARE_PERCENT.sub("%25", path), safe=UNESCAPED)
    except UnicodeEncodeError:
        raise SettingsError(f"{name}: it is not UTF-8.") from None
    return origin + encoded.rstrip("/")


def origin(root: str) -> str:
    """Scheme, host and port of a root in its normal form; empty for a path."""
    return "" if root.startswith("/") or not root else "/".join(root.split("/")[:3])


def path(root: str) -> str:
    """The path of a root in its normal form, without a slash at its end."""
    return root.removeprefix(origin(root))


def _split(name: str, value: str) -> tuple[str, str]:
    # Browsers read // and /\ at the beginning as the start of another host.
    if value.startswith("/") and value[1:2] not in ("/", "\\"):
        return "", value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"{name}: {value!r} is no URL: {error}.") from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.removesuffix(":")
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise SettingsError(f"{name}: {value!r} is neither a path that begins with one / nor an http(s) URL.")
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}"), parts.path
