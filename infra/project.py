"""Create a project folder with a first function, its test and its settings: `localfn new`."""

import os
import shlex
from contextlib import suppress
from pathlib import Path

from infra.command_name import command_name, quote_command
from infra.errors import InfraError

TEMPLATE = Path(__file__).parent / "project_template"
# Named one by one: pip compiles the modules of an installed wheel, so the folder also contains compiled files.
FILES = ("functions/hello.py", "tests/test_hello.py", "localfn.toml", ".env.example", "README.md")


class ProjectError(InfraError):
    """The project cannot be created in this folder."""

    exit_code = 2


def create_project(folder: Path) -> list[Path]:
    """Write the files of a new project into the folder; return their paths.

    Raises ProjectError, and then leaves nothing behind: when one of the files exists, or the folder cannot be written.
    """
    targets = [folder / name for name in FILES]
    for target in targets:
        if os.path.lexists(target):
            raise _exists(target)
    made: list[Path] = []
    try:
        for name, target in zip(FILES, targets, strict=True):
            _make_folder(target.parent, made)
            with target.open("xb") as file:
                made.append(target)
                file.write((TEMPLATE / name).read_bytes())
    except FileExistsError as error:
        _remove(made)
        raise _exists(Path(error.filename)) from None
    except OSError as error:
        _remove(made)
        raise ProjectError(f"{error.filename or folder} cannot be written: {error.strerror}.") from None
    return targets


def next_commands(folder: Path) -> list[str]:
    """Return the commands that start the project and call its function."""
    name, steps = command_name(), []
    if folder.resolve() != Path.cwd():
        steps.append(f"cd {shlex.quote(str(folder))}")
        if os.sep in name:  # `./dev` is another file in the new folder
            name = str(Path(name).absolute())
    word = quote_command(name)
    return [*steps, f"{word} up --open", f'{word} functions invoke hello --data \'{{"name": "Ada"}}\' --wait']


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Create the folder and its missing parents; add each created one to `made`."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        made.append(path)


def _remove(made: list[Path]) -> None:
    """Remove what this run created, the newest first. Another program may have put files into a folder meanwhile."""
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def _exists(path: Path) -> ProjectError:
    return ProjectError(f"{path} exists already, and nothing was written; choose another folder.")
