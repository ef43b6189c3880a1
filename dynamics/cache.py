"""The folder of generated kernels: what lies there, and how to empty it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from dynamics.compiled import Part, _cache_folder, _fingerprint
from dynamics.shown import counted, guarded, line, some

OURS = re.compile(rf"({'|'.join(get_args(Part))})_([0-9a-f]{{16}})\b")


@dataclass(frozen=True)
class CacheInfo:
    """The kernels on disk.

    Attributes
    ----------
    folder : Path
        Where they lie: the user's cache directory, or what ATTENTION_DYNAMICS_CACHE names.
    parts : tuple of str
        Kernels that are there for these equations and versions.
    files, megabytes : int, float
        Of all kernels, those of other versions among them.
    """

    folder: Path
    parts: tuple[str, ...]
    files: int
    megabytes: float

    @guarded
    def __repr__(self) -> str:
        ready = some(self.parts) if self.parts else "none"
        files = f"{counted(self.files, 'file')} of {self.megabytes:.1f} MB"
        return line("CacheInfo", str(self.folder), files, f"kernels ready: {ready}")


def cache_info() -> CacheInfo:
    """What lies in the folder of generated kernels."""
    folder, found = _cache_folder(), _files()
    parts = (part for part in get_args(Part) if folder / f"{part}_{_fingerprint()}.py" in found)
    return CacheInfo(folder, tuple(parts), len(found), sum(path.stat().st_size for path in found) / 2**20)


def cache_clear() -> int:
    """Remove every generated kernel, of any version, and nothing else; returns how many files went.

    Kernels that this process has loaded stay in use.
    """
    found = _files()
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _files() -> list[Path]:
    folder = _cache_folder()
    places = (folder, folder / "__pycache__")
    return sorted(path for place in places if place.is_dir() for path in place.iterdir() if OURS.match(path.name))
