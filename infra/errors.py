"""Define the errors of infra. Each message is one line for the user."""

import difflib
from collections.abc import Iterable


class InfraError(Exception):
    """localfn could not start or continue; the message gives the reason in one line."""

    exit_code = 1


class UnsupportedSystemError(InfraError):
    """The command does not work on this system."""


class SettingsError(InfraError):
    """A setting is unknown or has a bad value."""

    exit_code = 2


class HomeError(InfraError):
    """LOCALFN_HOME cannot be used."""


class InterpreterError(InfraError):
    """LOCALFN_PYTHON cannot run user code."""

    exit_code = 2


class PortTakenError(InfraError):
    """Another program listens on the address for HTTP."""


class ServerMissingError(InfraError):
    """The program of an embedded service is not installed."""


class ServerFailedError(InfraError):
    """An embedded service exited or did not become ready."""


class NewerSchemaError(InfraError):
    """A newer version of localfn has migrated the database."""


class TransactionPoolError(InfraError):
    """A pooler between localfn and PostgreSQL does not keep sessions."""


class NotRunningError(InfraError):
    """No runtime is reachable: no URL is set, and no `localfn up` runs for this home."""

    exit_code = 3


def nearest_hint(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the end of an error about an unknown name. otherwise: the hint if no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise
