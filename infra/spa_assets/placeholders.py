"""Replace the placeholders in the built SPA by the base URLs of this runtime.

A changed file is cached differently: the hash in its name does not cover the replacement.
"""

import html
import re

STATIC_ROOT = "VITE_APP_STATIC_ROOT_PLACEHOLDER"
API_ROOT = "VITE_APP_API_ROOT_PLACEHOLDER"
MARKUP = frozenset({".html", ".htm", ".svg", ".xml"})
TEXTS = MARKUP | {".js", ".mjs", ".css", ".json", ".map", ".webmanifest", ".txt"}

# Vite writes its base between slashes; the slashes of the value replace them.
STATIC = re.compile(f"/?{STATIC_ROOT}/?".encode())
API = re.compile(API_ROOT.encode())


def inject_base_urls(suffix: str, content: bytes, static_root: str, api_root: str) -> bytes:
    """Return the content with both base URLs, in the normal form of `normalise_root`.

    suffix: of the file name, in lower case; a file that is not text is returned unchanged.
    """
    if suffix not in TEXTS:
        return content
    escape = html.escape if suffix in MARKUP else str  # the normal form is safe in JavaScript, CSS and JSON
    static, api = escape(f"{static_root}/").encode(), escape(api_root).encode()
    # Functions, since a replacement text would interpret backslashes.
    return API.sub(lambda _: api, STATIC.sub(lambda _: static, content))
