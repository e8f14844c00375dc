"""Check the names of files: the SDK for output files, the runtime for uploads."""

from __future__ import annotations

MAX_FILE_NAME = 255  # bytes; what the usual file systems take


def file_name_problem(name: str) -> str | None:
    """Return why `name` cannot be the name of an uploaded or output file, as a clause; None for a valid name."""
    if not name or name in (".", ".."):
        return "it is empty or a folder's"
    if "/" in name or "\\" in name:
        return "it holds a path separator"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "it holds a control character"
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return f"it is longer than {MAX_FILE_NAME} bytes" if len(encoded) > MAX_FILE_NAME else None
