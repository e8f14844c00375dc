"""What can stop localfn from starting. Each message is the one line that the user reads."""


class InfraError(Exception):
    """localfn could not start or go on; the message says why, in one line."""

    exit_code = 1


class SettingsError(InfraError):
    """A setting is unknown or has a bad value."""

    exit_code = 2


class HomeError(InfraError):
    """LOCALFN_HOME cannot be used."""


class InterpreterError(InfraError):
    """LOCALFN_PYTHON cannot run user code."""


class PortTakenError(InfraError):
    """Another program listens where HTTP should."""


class ServerMissingError(InfraError):
    """No program of the embedded service is installed."""


class ServerFailedError(InfraError):
    """An embedded service ended or did not become ready."""


class NotRunningError(InfraError):
    """No runtime to talk to: no URL was given and no `localfn up` runs for this home."""

    exit_code = 3
