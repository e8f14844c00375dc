"""Takes secrets out of texts that people and log collectors read: passwords in addresses, keys, what is called one."""

import re

# Up to the last @ of a word: a password that nobody escaped may hold one; rather too much is hidden than too little.
# With bounds: a text may be what a stranger sent, and is to be read in one go.
SECRETS = (
    (re.compile(r"(://[^:/@\s]{0,200}:)[^\s'\"]{1,300}(?=@)"), r"\1***"),
    (re.compile(r"\blfn_[A-Za-z0-9_-]{16,}"), "lfn_***"),
    (re.compile(r"(?i)\b(password|passwd|secret|token)(\\?['\"]?\s*[=:]\s*\\?['\"]?)[^\s'\"\\&,;]+"), r"\1\2***"),
    (re.compile(r"(?i)\b(bearer\s+|localfn_session=)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
)
MARKS = re.compile(r"(?i)://|lfn_|passw|secret|token|bearer|localfn_session")


def masked(text: str) -> str:
    """The text without secrets of these kinds."""
    if MARKS.search(text) is None:
        return text
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text
