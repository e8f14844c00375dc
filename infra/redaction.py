"""Redact secrets in texts for people and log collectors: passwords in URLs, keys, values with the name of a secret."""

import re
from urllib.parse import unquote

# Repetitions are bounded: the text may come from a client.
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
SECRET_HINTS = re.compile(r"(?i)://|lfn_|passw|secret|token|bearer|localfn_session")
WORD = re.compile(r"\S+")
LOGIN = re.compile(r"://[^:/@\s]{0,200}:")
PARAMETER = re.compile(r"(?<=[?&])([^=&#\s]{1,80})=([^&#\s'\"\\]*)")


def redact(text: str) -> str:
    """Return the text with these kinds of secrets replaced by `***`."""
    if SECRET_HINTS.search(text) is None:
        return text
    if "://" in text and "@" in text:
        text = WORD.sub(lambda found: _mask_password(found[0]), text)
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return PARAMETER.sub(_mask_parameter, text) if "%" in text else text


def redact_url(url: str) -> str:
    """Return the URL with its password replaced by `***`, in the login or in a parameter."""
    return PARAMETER.sub(_mask_parameter, _mask_password(url))


def _mask_password(word: str) -> str:
    """Replace the password before the last @: an unescaped password may contain an @, a quote or a slash."""
    begin, end = LOGIN.search(word), word.rfind("@")
    return word if begin is None or end < begin.end() else f"{word[: begin.end()]}***{word[end:]}"


def _mask_parameter(found: re.Match[str]) -> str:
    """Replace the value of a parameter whose name, possibly percent-encoded, marks it as secret."""
    is_secret = re.search("pass|secret|token", unquote(found[1]), re.IGNORECASE)
    return f"{found[1]}=***" if is_secret else found[0]
