"""Makes texts that came from user code fit for PostgreSQL, which takes neither U+0000 nor half a surrogate pair."""

from typing import Any


def sanitize_text(text: str) -> str:
    """The text with what cannot be stored made visible."""
    return text.replace("\0", "\u2400").encode("utf-8", "backslashreplace").decode()


def sanitize_value(value: Any) -> Any:
    """A JSON value whose texts are all storable."""
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, list):
        return [sanitize_value(entry) for entry in value]
    if isinstance(value, dict):
        return {sanitize_text(str(name)): sanitize_value(entry) for name, entry in value.items()}
    return value
