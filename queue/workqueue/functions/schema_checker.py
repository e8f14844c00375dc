"""Check events against JSON Schemas in a process of their own.

A regular expression in a schema can keep Python from switching threads, and only a signal in the main thread can
interrupt it (input_validation.py). The event loop of a worker must not stand still for that.
"""

import json
import subprocess
import sys
import threading
from typing import Any

from workqueue.functions import input_validation
from workqueue.functions.registry import FunctionSpec
from workqueue.outcomes import InvalidError, NoSandboxError

BOOT = "import localfn_runtime; from workqueue.functions.schema_checker import main; main()"


class SchemaChecker:
    """A process that checks one event at a time; it starts with the first event. Thread-safe.

    limit_s: processor time for one check.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = min(limit_s, input_validation.MAX_CHECK_S)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def check(self, event: str, function: FunctionSpec) -> None:
        """Check an event, as JSON text, against the schema of a function. Raises InvalidError.

        Raises NoSandboxError if the process ended: the machine is out of memory.
        """
        limit_s = min(function.timeout_s, self._limit_s)
        question = json.dumps({"event": event, "schema": function.input_schema, "limit_s": limit_s})
        with self._lock:
            answer = self._ask(question.encode())
        if answer is not None:
            raise InvalidError(answer["message"], error_type=answer["error_type"])

    def pids(self) -> set[int]:
        """Return the pid of the process, if it runs."""
        return {self._process.pid} if self._process is not None else set()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self, question: bytes) -> dict[str, str] | None:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-P", "-c", BOOT]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(question + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise NoSandboxError("The process that checks events against schemas ended.")
        answer: dict[str, str] | None = json.loads(line)
        return answer


def main() -> None:
    """Answer questions from stdin, until it ends: null for a valid event."""
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


def _answer(question: dict[str, Any]) -> dict[str, str | None] | None:
    try:
        input_validation.check(json.loads(question["event"]), question["schema"], question["limit_s"])
    except InvalidError as error:
        return {"message": str(error), "error_type": error.error_type}
    return None
