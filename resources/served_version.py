"""Registered versions as folders that can be served."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from luthier.digest import digest_of
from luthier.errors import LuthierError
from luthier.serving.control import Target
from resources.tracking_registry import CHAMPION, ModelRegistry


@dataclass
class ServedVersion:
    """The version of ``model`` that ``alias`` names, or ``version`` itself; downloaded once, to ``downloads``."""

    registry: ModelRegistry
    model: str
    downloads: Path
    alias: str = CHAMPION
    version: str | None = None
    found: Target | None = field(default=None, init=False)

    def find(self) -> Target:
        """The version as it is named now.

        Raises:
            LuthierError: there is none, or the registry or its files are out of reach.
        """
        version = self.version or self.registry.alias(self.model, self.alias)
        if version is None:
            remedy = "run a recipe that deploys this model" if self.alias == CHAMPION else "name another alias"
            raise LuthierError(f"no version has the alias {self.alias!r}", where=self.model, remedy=remedy)
        if self.found is None or self.found.version != version:
            self.found = Target(version, str(self._folder(version)))
        return self.found

    def _folder(self, version: str) -> Path:
        if (local := self.registry.local_files(self.model, version)) is not None:
            return local
        # Another registry may have a version of the same name and number.
        place = digest_of([self.registry.store.uri, self.registry.place(self.model, version)])
        folder = self.downloads / self.model / f"{version}-{place[:12]}"
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{version}-"))
            try:
                with self.registry.files(self.model, version) as files:
                    shutil.copytree(files, scratch / "package")
                (scratch / "package").rename(folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return folder
