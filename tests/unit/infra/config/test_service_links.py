"""Start in a namespace of Kubernetes, which sets variables for each Service."""

from pathlib import Path

import pytest

from infra.config import settings
from infra.errors import SettingsError

# What Kubernetes sets for Services called localfn, localfn-web (with a named port) and postgres.
NAMESPACE = {
    "LOCALFN_SERVICE_HOST": "10.96.12.7",
    "LOCALFN_SERVICE_PORT": "80",
    "LOCALFN_PORT": "tcp://10.96.12.7:80",
    "LOCALFN_PORT_80_TCP": "tcp://10.96.12.7:80",
    "LOCALFN_PORT_80_TCP_PROTO": "tcp",
    "LOCALFN_PORT_80_TCP_PORT": "80",
    "LOCALFN_PORT_80_TCP_ADDR": "10.96.12.7",
    "LOCALFN_WEB_SERVICE_HOST": "fd00:10:96::a1",
    "LOCALFN_WEB_SERVICE_PORT": "80",
    "LOCALFN_WEB_SERVICE_PORT_HTTP": "80",
    "LOCALFN_WEB_PORT": "tcp://[fd00:10:96::a1]:80",
    "LOCALFN_WEB_PORT_80_TCP": "tcp://[fd00:10:96::a1]:80",
    "POSTGRES_SERVICE_HOST": "10.96.12.8",
    "POSTGRES_PORT": "tcp://10.96.12.8:5432",
    "POSTGRES_PORT_5432_TCP": "tcp://10.96.12.8:5432",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
}


def test_the_variables_of_services_are_no_settings(tmp_path: Path) -> None:
    parts = {"POSTGRES_HOST": "postgres", "POSTGRES_PASSWORD": "secret", "POSTGRES_USER": "u", "POSTGRES_DB": "d"}
    found = settings.load(NAMESPACE | parts, tmp_path)
    assert found.database_url is not None
    assert "@postgres:5432/" in found.database_url


@pytest.mark.parametrize(
    "variable", [{"LOCALFN_WEB_PORT": "80"}, {"LOCALFN_PORT": "5000"}, {"POSTGRES_PORT": "tcp//x"}], ids=str
)
def test_other_names_and_values_are_refused(tmp_path: Path, variable: dict[str, str]) -> None:
    (name,) = variable
    with pytest.raises(SettingsError, match=name):
        settings.load(variable | {"POSTGRES_HOST": "p", "POSTGRES_PASSWORD": "secret"}, tmp_path)
