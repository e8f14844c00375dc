"""The functions whose requests the dump holds. `slow` ran for an hour when the dump was made; now it ends at once."""

from localfn import Context, function


@function(max_attempts=3, retry_delay_s=1)
def echo(event: object, context: Context) -> object:
    return event


@function(queue="low")
def slow(event: object, context: Context) -> object:
    return event
