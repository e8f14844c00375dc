"""Functions for the tests of attacks."""

import pathlib
from typing import Any

from localfn import Context, function


@function
def complain(event: Any, context: Context) -> Any:
    raise ValueError(event["message"])


@function
def save_page(event: Any, context: Context) -> Any:
    """A page with a script, as an output file under a name of the caller's."""
    pathlib.Path("page").write_text("<script>alert(1)</script>")
    context.save_file("page", name=event.get("name", "page.html"))


@function
def save_link(event: Any, context: Context) -> Any:
    """Something else's place given as an output file."""
    pathlib.Path("link").symlink_to(event["target"])
    context.save_file("link", name="link.txt")
