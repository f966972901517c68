"""The aliases of a registered model: one champion, one challenger, and the record of every change of champion."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock

from luthier.errors import LuthierError
from resources.champion_history import ChampionChange, Kind, read_history
from resources.journal import safe
from resources.tracking_registry import CHAMPION, ModelRegistry
from resources.tracking_store import Unreachable, pages

log = logging.getLogger("luthier.tracking")

CHALLENGER = "challenger"
# Of the run that made the present champion, and of a version: why it became champion.
CHAMPION_TAG = "luthier.champion"
REASON_TAG = "luthier.promoted_because"
UNRECORDED = "nothing was recorded: the alias was moved in MLflow, or the process that moved it ended"


class ModelAliases:
    """Moves the aliases of one model. All raise ``LuthierError`` where MLflow does not answer.

    The champion's alias moves in one call: before it the old champion answers, after it the new one. What follows, the
    record and the marks, is caught up by the next call of anything here.
    """

    def __init__(self, registry: ModelRegistry, name: str):
        self.registry, self.name = registry, name

    @property
    def champion(self) -> str | None:
        return self.registry.alias(self.name, CHAMPION)

    @property
    def challenger(self) -> str | None:
        return self.registry.alias(self.name, CHALLENGER)

    def history(self) -> list[ChampionChange]:
        """The changes of champion, the oldest first."""
        return read_history(self.registry.model_tags(self.name))

    def promote(
        self, version: str, *, over: str | None, reason: str, by: str, kind: Kind = "promotion"
    ) -> ChampionChange | None:
        """Makes ``version`` the champion in the place of ``over``; None where it is that already.

        Raises:
            LuthierError: the champion is another than ``over`` by now.
        """
        with self._alone():
            before = self.champion
            if before not in (over, version):
                raise LuthierError(
                    "the champion has changed in the meantime",
                    where=self.name,
                    received=f"version {before}, and version {over} when this was decided",
                    remedy="decide anew: run it again",
                )
            change = None
            if before != version:
                self._move(version)
                change = self._recorded(kind, version, before, reason=reason, by=by)
                self._explain(version, reason)
            self._settle(by)
            return change

    def challenge(self, version: str, *, by: str) -> None:
        """Makes ``version`` the challenger, unless it is the champion."""
        with self._alone():
            self._settle(by)
            if version != self.champion:
                with self.registry.answering():
                    self.registry.store.client.set_registered_model_alias(self.name, CHALLENGER, version)

    def settle(self, by: str) -> None:
        """Catches up on what a process that ended, or a person in MLflow, left undone."""
        with self._alone():
            self._settle(by)

    def _settle(self, by: str) -> None:
        champion = self.champion
        if champion is None:
            return
        history = self.history()
        if not history or history[-1].version != champion:
            self._recorded("found", champion, history[-1].version if history else None, reason=UNRECORDED, by=by)
        if self.challenger == champion:
            with self.registry.answering():
                self.registry.store.client.delete_registered_model_alias(self.name, CHALLENGER)
        try:
            with self.registry.store.reaching():
                self._mark(champion)
        except Unreachable as error:
            log.warning(
                "%s version %s is the champion, its run in MLflow is not marked: %s", self.name, champion, error
            )

    def _move(self, version: str) -> None:
        with self.registry.answering():
            self.registry.store.client.set_registered_model_alias(self.name, CHAMPION, version)

    def _recorded(self, kind: Kind, version: str, before: str | None, *, reason: str, by: str) -> ChampionChange:
        change = ChampionChange.now(kind, version, before, reason=reason, by=by)
        with self.registry.answering():
            self.registry.store.client.set_registered_model_tag(self.name, *change.as_tag())
        return change

    def _explain(self, version: str, reason: str) -> None:
        with self.registry.answering():
            self.registry.store.client.set_model_version_tag(self.name, version, REASON_TAG, reason)

    def _mark(self, version: str) -> None:
        """Other runs of the model's versions lose the mark, whichever crash or person left it there."""
        client = self.registry.store.client
        maker, mark = client.get_model_version(self.name, version).run_id, f"{self.name} {version}"
        experiments = [found.experiment_id for page in pages(client.search_experiments) for found in page]
        marked = f"tags.`{CHAMPION_TAG}` LIKE '{self.name} %'"
        for page in list(pages(client.search_runs, experiment_ids=experiments, filter_string=marked)):
            for run in page:
                if run.info.run_id != maker and run.data.tags[CHAMPION_TAG].rpartition(" ")[0] == self.name:
                    client.delete_tag(run.info.run_id, CHAMPION_TAG)
        if maker and self.registry.store.run_exists(maker):
            client.set_tag(maker, CHAMPION_TAG, mark)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process of this LUTHIER_HOME at a time."""
        folder = self.registry.store.folder
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"aliases-{safe(self.name)}.lock"):
            yield
