"""A first function: change it, save it, call it again. Larger ones are in examples/."""

from localfn import Context, function


@function
def hello(event: dict[str, str], context: Context) -> dict[str, str]:
    """Greet a person: {"name": "Ada"} returns {"hello": "Ada"}."""
    print("request", context.request_id)
    return {"hello": event.get("name", "world")}
