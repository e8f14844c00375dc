"""Ignore the variables that Kubernetes sets for each Service of a namespace: a Service `localfn-web` is no setting.

https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
"""

import re
from collections.abc import Mapping

PROTOCOLS = "TCP|UDP|SCTP"
# A name alone, or a name whose value must be an address: POSTGRES_PORT is a setting, too.
NAMES = re.compile(rf".+_SERVICE_(HOST|PORT(_.+)?)|.+_PORT_\d+_({PROTOCOLS})(_(PROTO|PORT|ADDR))?")
PORT_NAME = re.compile(r".+_PORT")
ADDRESS = re.compile(rf"({PROTOCOLS.lower()})://\S+:\d+")


def without_service_links(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the other variables."""
    return {name: value for name, value in environ.items() if not _is_service_link(name, value)}


def _is_service_link(name: str, value: str) -> bool:
    if NAMES.fullmatch(name):
        return True
    return PORT_NAME.fullmatch(name) is not None and ADDRESS.fullmatch(value) is not None
