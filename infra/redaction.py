"""Takes secrets out of texts that people and log collectors read: passwords in URLs, keys, values named as secrets."""

import re
from urllib.parse import unquote

# With bounds: a text may come from a client, and is read in one go.
SECRETS = (
    (re.compile(r"\blfn_[A-Za-z0-9_-]{16,}"), "lfn_***"),
    (
        re.compile(
            r"(?i)(?<![a-z0-9])((?:[\w-]{0,40}[_-]|ssl)?(?:password|passwd|secret(?:_access)?(?:_key)?|token))"
            r"(\\?['\"]?\s*[=:]\s*\\?['\"]?)[^\s'\"\\&,;]+"
        ),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(bearer\s+|localfn_session=)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
)
MARKS = re.compile(r"(?i)://|lfn_|passw|secret|token|bearer|localfn_session")
WORD = re.compile(r"\S+")
LOGIN = re.compile(r"://[^:/@\s]{0,200}:")
PARAMETER = re.compile(r"(?<=[?&])([^=&#\s]{1,80})=([^&#\s'\"\\]*)")


def redact(text: str) -> str:
    """Return the text without secrets of these kinds."""
    if MARKS.search(text) is None:
        return text
    if "://" in text and "@" in text:
        text = WORD.sub(lambda found: _without_login(found[0]), text)
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return PARAMETER.sub(_without_secret, text) if "%" in text else text


def redact_url(url: str) -> str:
    """Return a URL with its password as `***`, wherever it stands."""
    return PARAMETER.sub(_without_secret, _without_login(url))


def _without_login(word: str) -> str:
    """Hide the password before the last @: an unescaped password may hold an @, a quote or a slash."""
    begin, end = LOGIN.search(word), word.rfind("@")
    return word if begin is None or end < begin.end() else f"{word[: begin.end()]}***{word[end:]}"


def _without_secret(found: re.Match[str]) -> str:
    """Hide a parameter's value when its name, which may be percent-encoded, names a secret."""
    is_secret = re.search("pass|secret|token", unquote(found[1]), re.IGNORECASE)
    return f"{found[1]}=***" if is_secret else found[0]
