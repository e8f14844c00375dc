"""Writes the addresses of this runtime into the built screen, in place of the texts that the build left for them.

Whether a file has been changed by it decides how it is cached: its name tells nothing of what was written into it.
"""

import html
import re

STATIC_ROOT = "VITE_APP_STATIC_ROOT_PLACEHOLDER"
API_ROOT = "VITE_APP_API_ROOT_PLACEHOLDER"
MARKUP = frozenset({".html", ".htm", ".svg", ".xml"})
TEXTS = MARKUP | {".js", ".mjs", ".css", ".json", ".map", ".webmanifest", ".txt"}

# Vite writes its base between slashes; the slashes of the value then take their place.
STATIC = re.compile(f"/?{STATIC_ROOT}/?".encode())
API = re.compile(API_ROOT.encode())


def injected(suffix: str, content: bytes, static_root: str, api_root: str) -> bytes:
    """The content with both roots in it. They are in the normal form of `web_root`.

    suffix: of the file's name, in small letters; what is no text stays as it is.
    """
    if suffix not in TEXTS:
        return content
    escape = html.escape if suffix in MARKUP else str  # the normal form needs none in JavaScript, CSS and JSON
    static, api = escape(f"{static_root}/").encode(), escape(api_root).encode()
    # As functions: in a replacement text a backslash would mean something.
    return API.sub(lambda _: api, STATIC.sub(lambda _: static, content))
