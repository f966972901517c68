"""What fetching may touch: where downloads stay, and which folders may be read."""

from dataclasses import dataclass
from pathlib import Path

from luthier.errors import SourceError


@dataclass(frozen=True)
class Access:
    """``downloads`` is where downloads stay, ``root`` the project, where relative paths start.

    ``allowed`` are further folders that file sources may read, ``predictions`` has a folder for each model whose
    answers are logged. With ``offline`` nothing may be downloaded.
    """

    downloads: Path
    root: Path
    allowed: tuple[Path, ...] = ()
    offline: bool = False
    predictions: Path | None = None

    def require_inside(self, path: Path) -> None:
        """Raises a SourceError when a path, its links followed, leads out of the root and the allowed folders."""
        real = path.resolve()
        roots = [root.resolve() for root in (self.root, *self.allowed)]
        if not any(real.is_relative_to(root) for root in roots):
            raise SourceError(
                f"a file outside of {', '.join(map(str, roots))}",
                where=str(path),
                remedy="add its folder to LUTHIER_DATA_ROOTS, or copy it into the project",
            )
