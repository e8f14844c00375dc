"""A first function: change it, save it, and call it again; localfn takes the new code for the next request."""

from localfn import Context, function


@function(timeout_s=30, max_attempts=3)
def hello(event: dict[str, str], context: Context) -> dict[str, str]:
    """Greet a person: {"name": "Ada"} returns {"hello": "Ada"}."""
    name = event.get("name", "world")
    context.logger.info("greeting %s", name)
    return {"hello": name}
