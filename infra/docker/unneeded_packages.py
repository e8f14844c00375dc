"""Print the installed packages that localfn does not need at runtime: `unneeded_packages.py EXTRA,EXTRA`.

The lock file pins everything with hashes: the extras, and the tools that build localfn. The image installs all of it,
and then removes what this prints.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement


def needed_packages(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Return the normalised names of a package and of all installed packages that it needs."""
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    try:
        package = distribution(name)
    except PackageNotFoundError:  # excluded on purpose, or for another system
        return set()
    found = {normalised_name(package)}
    for requirement in map(Requirement, package.requires or ()):
        if _applies(requirement, extras):
            found |= needed_packages(requirement.name, frozenset(requirement.extras), seen)
    return found


def normalised_name(package: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", package.name).lower()


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})


def main() -> None:
    extras = frozenset(filter(None, sys.argv[1].split(",")))
    needed = needed_packages("localfn", extras, set())
    print("\n".join(sorted({normalised_name(package) for package in distributions()} - needed)))  # noqa: T201


if __name__ == "__main__":
    main()
