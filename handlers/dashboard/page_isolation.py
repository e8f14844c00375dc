"""Headers and a prelude that keep a page of rq-dashboard apart in the browser, and let it poll its own data.

The page's policy has a sandbox without `allow-same-origin`: the browser gives the page an origin that equals no other,
not even that of the same page opened again. So a script in it has no cookie, no storage and no answer of the API,
and can open no window. What its own scripts poll for is opened by a capability: a signed moment in the path, which
lets in for ten minutes, to data that the page shows anyway, and to no change.
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

from workqueue.transport.redis_keys import DASHBOARD_SECRET, shared_value

LIFE_S = 600
RELOAD_S = 480  # a page loads itself anew before its capability ends
CAPABILITY = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{64})")
SCRIPT = re.compile(rb"<script\b", re.IGNORECASE)
HEAD = re.compile(rb"<head\b[^>]*>", re.IGNORECASE)
# rq-dashboard's scripts escape these themselves; all strings of its data are escaped here.
ESCAPED_TWICE = re.compile(rb"<%=\s*\$\('<div/>'\)\.text\(([\w.]+)\)\.html\(\)\s*%>")
# Its templates are compiled in the browser, hence unsafe-eval; styles stand in attributes.
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'nonce-{nonce}' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# The scripts ask for a cookie, which a sandboxed page is not allowed to do, poll by addresses of their own, and add a
# header that would have the browser ask first whether the page may.
# The buttons move bells, which decide nothing: what they seem to do is done by the pages and commands of localfn.
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
    """Make a page a stranger to its own origin. root: the path of the pages, with a slash at its end."""
    nonce = secrets.token_urlsafe(16)
    prelude = (PRELUDE % (_in_script(root), _in_script(f"~{capability}/"))).encode()
    page = ESCAPED_TWICE.sub(rb"<%= \1 %>", answer.get_data())
    page = HEAD.sub(lambda found: found[0] + prelude, page, count=1)
    answer.set_data(SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', page))
    answer.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    # A sandboxed page may not have another value; it can open no window, and is closed to those that open it.
    answer.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    answer.headers["Refresh"] = str(RELOAD_S)


def _in_script(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c")


def escape_data(answer: Response) -> None:
    """Make text of all that would be HTML: rq-dashboard's scripts put strings into the page as they are."""
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

    The secret is stored in Redis, where all web processes find it. A program that can read it can read the data, too.
    """
    until = f"{int(time.time()) + LIFE_S:x}"
    return f"{until}-{_signature(redis, until)}"


def is_valid(redis: Redis, capability: str) -> bool:
    """Tell whether the capability was issued here and has not ended. Raises RedisError."""
    found = CAPABILITY.fullmatch(capability)
    if found is None or not time.time() < int(found[1], 16) <= time.time() + 2 * LIFE_S:
        return False
    return hmac.compare_digest(found[2], _signature(redis, found[1]))


def _signature(redis: Redis, until: str) -> str:
    secret = shared_value(redis, DASHBOARD_SECRET, secrets.token_hex(32))
    return hmac.new(secret.encode(), until.encode(), hashlib.sha256).hexdigest()
