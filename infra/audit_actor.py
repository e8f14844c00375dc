"""Who works at this machine's command line, as the audit names him: whoever has the database's address is at home."""

import os
import pwd

from workqueue.audit import Action, AuditEntry


def actor() -> str:
    """By the account that the process has: a variable could say anything."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container any number may run
        account = str(os.getuid())
    return f"cli:{account}"


def audit_entry(command: str, action: Action, subject: str) -> AuditEntry:
    """command: without the `localfn`."""
    return AuditEntry(actor(), action, subject, {"command": command})
