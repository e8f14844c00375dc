"""Publish the SPA: the built files with this runtime's base URLs, in a folder of their own.

The build stays unchanged: a restart with other base URLs starts from it, and the file system of an image may be
read-only. A new version is created beside the served one, and a link is switched: no client sees half a version.
"""

import contextlib
import fcntl
import gzip
import hashlib
import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parents[1] / "spa" / "dist"
FOLDER, CURRENT, MANIFEST = "spa", "current", "manifest.json"
FORMAT = 1  # part of every version's name: a newer localfn that writes other files creates a new version
HASHED_NAME = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+")
MIN_COMPRESSED_BYTES = 1024

# The placeholders of the base URLs in the build.
STATIC_ROOT = "VITE_APP_STATIC_ROOT_PLACEHOLDER"
API_ROOT = "VITE_APP_API_ROOT_PLACEHOLDER"
MARKUP = frozenset({".html", ".htm", ".svg", ".xml"})
TEXTS = MARKUP | {".js", ".mjs", ".css", ".json", ".map", ".webmanifest", ".txt"}
# Vite writes its base between slashes; the slashes of the value replace them.
STATIC = re.compile(f"/?{STATIC_ROOT}/?".encode())
API = re.compile(API_ROOT.encode())


@dataclass(frozen=True)
class BaseUrls:
    """Hold both base URLs in the normal form of `normalise_root`. static: the SPA's, without a trailing slash."""

    static: str
    api: str


def publish_assets(home: Path, roots: BaseUrls, build: Path = BUILD, *, compress: bool) -> Path | None:
    """Return the link to the current version, and create the version if it is missing; None without a build.

    compress: add a gzip variant of every text file, for a server with many clients.
    """
    if not (build / "index.html").is_file():
        return None
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with _locked(folder):
        sources = {path.relative_to(build).as_posix(): path.read_bytes() for path in _files(build)}
        version = folder / _digest(sources, roots, compress=compress)
        if not _is_complete(version):
            _create_version(version, sources, roots, compress=compress)
        _activate(folder, version)
    return folder / CURRENT


def published_assets(home: Path) -> BaseUrls | None:
    """Return the base URLs of the current version; None without one."""
    try:
        manifest = json.loads((home / FOLDER / CURRENT / MANIFEST).read_bytes())
    except OSError:
        return None
    return BaseUrls(manifest["static_root"], manifest["api_root"])


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder: several containers may share a home. The lock ends with the process."""
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


def _is_complete(version: Path) -> bool:
    """Return True if all files exist in full: after a crash of the machine, names may exist without contents."""
    try:
        files = json.loads((version / MANIFEST).read_bytes())["files"]
        return all((version / "files" / name).stat().st_size == entry["size"] for name, entry in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _create_version(version: Path, sources: dict[str, bytes], roots: BaseUrls, *, compress: bool) -> None:
    fresh = version.with_name("fresh")
    for leftover in (fresh, version):  # left by a killed process or a crashed machine
        shutil.rmtree(leftover, ignore_errors=True)
    files = {}
    for name, source in sources.items():
        content = inject_base_urls(Path(name).suffix.lower(), source, roots.static, roots.api)
        packed = _compressed(name, content) if compress else None
        _write(fresh / "files" / name, content)
        if packed is not None:
            _write(fresh / "files" / f"{name}.gz", packed)
        files[name] = _manifest_entry(name, content, injected=content != source, packed=packed is not None)
    manifest = {"static_root": roots.static, "api_root": roots.api, "files": files}
    _write(fresh / MANIFEST, json.dumps(manifest, indent=1).encode())
    fresh.rename(version)


def _manifest_entry(name: str, content: bytes, *, injected: bool, packed: bool) -> dict[str, Any]:
    return {
        "size": len(content),
        "etag": hashlib.sha256(content).hexdigest()[:32],
        # The hash in a name covers the built file, not the replacement.
        "immutable": not injected and HASHED_NAME.search(Path(name).name) is not None,
        "gzip": packed,
    }


def _compressed(name: str, content: bytes) -> bytes | None:
    if Path(name).suffix.lower() not in TEXTS or len(content) < MIN_COMPRESSED_BYTES:
        return None
    packed = gzip.compress(content, mtime=0)
    return packed if len(packed) < len(content) else None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content)


def _activate(folder: Path, version: Path) -> None:
    """Switch the link to `version`, and remove older versions."""
    link, fresh = folder / CURRENT, folder / "fresh.link"
    previous = link.readlink().name if link.is_symlink() else version.name
    if link.is_symlink() and previous == version.name:
        return
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version.name)
    fresh.replace(link)
    # Keep the previous version until the next change: a page that was just loaded still requests its parts.
    for path in folder.iterdir():
        if path.is_dir() and path.name not in (version.name, previous, CURRENT):
            shutil.rmtree(path, ignore_errors=True)


def inject_base_urls(suffix: str, content: bytes, static_root: str, api_root: str) -> bytes:
    """Return the content with both base URLs in place of the placeholders.

    suffix: of the file name, in lower case; a file that is not text is returned unchanged. static_root, api_root: in
    the normal form of `normalise_root`, which is safe in JavaScript, CSS and JSON.
    """
    if suffix not in TEXTS:
        return content
    escape = html.escape if suffix in MARKUP else str
    static, api = escape(f"{static_root}/").encode(), escape(api_root).encode()
    # Functions, since a replacement text would interpret backslashes.
    return API.sub(lambda _: api, STATIC.sub(lambda _: static, content))
