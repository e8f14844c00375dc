"""Isolate a page of rq-dashboard in the browser, and let it poll its own data.

The Content-Security-Policy of the page has a sandbox without `allow-same-origin`, so the browser gives it an opaque
origin. A script in it has no cookie, no storage and no access to the API, and cannot open a window. Its own scripts
poll with a capability: a signed expiry time in the path, valid for ten minutes, for data that the page shows anyway.
"""

import hashlib
import hmac
import json
import math
import re
import secrets
import time
from typing import Any

from flask import Response
from markupsafe import escape
from redis import Redis

from workqueue.transport.redis_key_repair import DASHBOARD_SECRET_KEY, shared_value

LIFETIME_S = 600
RELOAD_S = 480  # a page reloads before its capability expires
CAPABILITY = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{64})")
SCRIPT = re.compile(rb"<script\b", re.IGNORECASE)
HEAD = re.compile(rb"<head\b[^>]*>", re.IGNORECASE)
# The scripts of rq-dashboard escape these values themselves; escape_data escapes all strings already.
ESCAPED_TWICE = re.compile(rb"<%=\s*\$\('<div/>'\)\.text\(([\w.]+)\)\.html\(\)\s*%>")
# unsafe-eval: the browser compiles the templates. unsafe-inline: styles are in attributes.
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'nonce-{nonce}' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# The scripts read a cookie, which fails in a sandboxed page. They poll paths without the capability, and set a header
# that would make the browser send a preflight.
# The buttons are hidden: they move bells, which decide nothing. The pages and commands of localfn change requests.
PRELUDE = """
<script>
(() => {
  const root = %s, capability = %s, open = XMLHttpRequest.prototype.open;
  Object.defineProperty(document, "cookie", { value: "" });
  XMLHttpRequest.prototype.setRequestHeader = () => {};
  XMLHttpRequest.prototype.open = function (method, url, ...more) {
    return open.call(this, method, url.startsWith(root) ? root + capability + url.slice(root.length) : url, ...more);
  };
})();
</script>
<style>
#empty-btn, #compact-btn, #requeue-all-btn, #requeue-job-btn, #delete-job-btn, #jobs th:last-child, #jobs .actions,
#rq-instances-row { display: none !important; }
</style>
"""


def isolate_page(answer: Response, root: str, capability: str) -> None:
    """Give a page an opaque origin. root: the path of the pages, with a slash at its end."""
    nonce = secrets.token_urlsafe(16)
    prelude = (PRELUDE % (_in_script(root), _in_script(f"~{capability}/"))).encode()
    page = ESCAPED_TWICE.sub(rb"<%= \1 %>", answer.get_data())
    page = HEAD.sub(lambda match: match[0] + prelude, page, count=1)
    answer.set_data(SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page))
    answer.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    # A sandboxed page may have no other value. It can open no window, and no opener can access it.
    answer.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    answer.headers["Refresh"] = str(RELOAD_S)


def _in_script(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c")


def escape_data(answer: Response) -> None:
    """Escape HTML in all strings: the scripts of rq-dashboard insert them into the page unescaped."""
    answer.set_data(json.dumps(_escaped(answer.get_json()), allow_nan=False))


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(escape(value)) if isinstance(value, str) else value


def issue(redis: Redis) -> str:
    """Return a capability for the data of one page. Raises RedisError.

    The secret is in Redis, which all web processes share. A program that can read it there can read the data too.
    """
    expires_at = f"{int(time.time()) + LIFETIME_S:x}"
    return f"{expires_at}-{_signature(redis, expires_at)}"


def is_valid(redis: Redis, capability: str) -> bool:
    """Return whether this installation issued the capability and it has not expired. Raises RedisError."""
    match = CAPABILITY.fullmatch(capability)
    if match is None or not time.time() < int(match[1], 16) <= time.time() + 2 * LIFETIME_S:
        return False
    return hmac.compare_digest(match[2], _signature(redis, match[1]))


def _signature(redis: Redis, expires_at: str) -> str:
    secret = shared_value(redis, DASHBOARD_SECRET_KEY, secrets.token_hex(32))
    return hmac.new(secret.encode(), expires_at.encode(), hashlib.sha256).hexdigest()
