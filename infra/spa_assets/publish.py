"""Makes the screen's files ready to be served: the built ones with this runtime's addresses, in a folder of their own.

The build stays as it is, so that a restart with other addresses begins from it again, and an image's file system may be
read-only. A version is made beside the one that is served, and a link is moved: nobody sees half of one.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.spa_assets import placeholders

BUILD = Path(__file__).parents[2] / "spa" / "dist"
FOLDER, CURRENT, MANIFEST = "screen", "current", "manifest.json"
FORMAT = 1  # part of every version's name: a newer localfn that writes other files makes a new one
HASHED = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+")
LEAST_COMPRESSED_BYTES = 1024


@dataclass(frozen=True)
class BaseUrls:
    """Both in the normal form of `web_root`. static is the folder of the screen, without its last slash."""

    static: str
    api: str


def publish_assets(home: Path, roots: BaseUrls, build: Path = BUILD, *, compress: bool) -> Path | None:
    """Gives the link to the current version, which is made when it is missing; None without a build.

    compress: with a gzip variant of every text, as for a server that is asked by many.
    """
    if not (build / "index.html").is_file():
        return None
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder):
        sources = {path.relative_to(build).as_posix(): path.read_bytes() for path in _files(build)}
        version = folder / _digest(sources, roots, compress=compress)
        if not _is_whole(version):
            _make(version, sources, roots, compress=compress)
        _point(folder, version)
    return folder / CURRENT


def published_assets(home: Path) -> BaseUrls | None:
    """What the current version was made for; None when there is none."""
    try:
        manifest = json.loads((home / FOLDER / CURRENT / MANIFEST).read_bytes())
    except OSError:
        return None
    return BaseUrls(manifest["static_root"], manifest["api_root"])


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One at a time: several containers may share a home. The lock ends with the process, however that ends."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _files(build: Path) -> Iterator[Path]:
    return (path for path in sorted(build.rglob("*")) if path.is_file())


def _digest(sources: dict[str, bytes], roots: BaseUrls, *, compress: bool) -> str:
    digest = hashlib.sha256(f"{FORMAT}\0{roots.static}\0{roots.api}\0{compress}".encode())
    for name, content in sources.items():
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:32]


def _is_whole(version: Path) -> bool:
    """Whether all is there: a machine that crashed may have kept the names and lost the contents."""
    try:
        files = json.loads((version / MANIFEST).read_bytes())["files"]
        return all((version / "files" / name).stat().st_size == entry["size"] for name, entry in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _make(version: Path, sources: dict[str, bytes], roots: BaseUrls, *, compress: bool) -> None:
    fresh = version.with_name("fresh")
    for left in (fresh, version):  # by one that was killed, or by a machine that crashed
        shutil.rmtree(left, ignore_errors=True)
    files = {}
    for name, source in sources.items():
        content = placeholders.injected(Path(name).suffix.lower(), source, roots.static, roots.api)
        packed = _packed(name, content) if compress else None
        _write(fresh / "files" / name, content)
        if packed is not None:
            _write(fresh / "files" / f"{name}.gz", packed)
        files[name] = _entry(name, content, injected=content != source, packed=packed is not None)
    manifest = {"static_root": roots.static, "api_root": roots.api, "files": files}
    _write(fresh / MANIFEST, json.dumps(manifest, indent=1).encode())
    fresh.rename(version)


def _entry(name: str, content: bytes, *, injected: bool, packed: bool) -> dict[str, Any]:
    return {
        "size": len(content),
        "etag": hashlib.sha256(content).hexdigest()[:32],
        # The hash in a name is of what was built. What was injected later may change without it.
        "immutable": not injected and HASHED.search(Path(name).name) is not None,
        "gzip": packed,
    }


def _packed(name: str, content: bytes) -> bytes | None:
    if Path(name).suffix.lower() not in placeholders.TEXTS or len(content) < LEAST_COMPRESSED_BYTES:
        return None
    packed = gzip.compress(content, mtime=0)
    return packed if len(packed) < len(content) else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


def _point(folder: Path, version: Path) -> None:
    """Moves the link to `version`, and removes what nobody looks at any more."""
    link, fresh = folder / CURRENT, folder / "fresh.link"
    before = link.readlink().name if link.is_symlink() else version.name
    if link.is_symlink() and before == version.name:
        return
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version.name)
    fresh.replace(link)
    # The version before stays until the next change: a page that was just loaded still asks for its parts.
    for path in folder.iterdir():
        if path.is_dir() and path.name not in (version.name, before, CURRENT):
            shutil.rmtree(path, ignore_errors=True)
