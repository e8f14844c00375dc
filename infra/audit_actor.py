"""Name the audit actor for CLI commands: the Unix account of the process. Access to the database grants all rights."""

import os
import pwd

from workqueue.audit import Action, AuditEntry


def actor() -> str:
    """Return `cli:ACCOUNT`. The account comes from the system: an environment variable could be forged."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user ID without an account
        account = str(os.getuid())
    return f"cli:{account}"


def audit_entry(command: str, action: Action, subject: str) -> AuditEntry:
    """Return an audit entry by this actor. command: the command without `localfn`."""
    return AuditEntry(actor(), action, subject, {"command": command})
