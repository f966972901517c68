"""The registered versions of a recipe: what they are, and moving the champion's alias by hand."""

import getpass
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.incumbent import RegisteredChampion, registered_version
from assets.registration import CHALLENGER_REASON_TAG
from luthier.errors import LuthierError
from resources.artifact_store import ArtifactStore
from resources.champion_history import ChampionChange, champions_before
from resources.model_aliases import REASON_TAG
from resources.tracking import DIGEST_TAG, PROOF_TAG, SCORE_TAG, Tracking
from resources.tracking_registry import RegisteredVersion

if TYPE_CHECKING:
    from luthier.evaluation.paired import PairedDifference


@dataclass(frozen=True)
class Versions:
    """Everything that is registered of one model, the newest version first; the oldest change of champion first."""

    model: str
    versions: list[RegisteredVersion]
    history: list[ChampionChange]

    @classmethod
    def of(cls, model: str, tracking: Tracking) -> "Versions":
        return cls(model, tracking.registry.versions(model), tracking.aliases(model).history())

    def as_json(self) -> dict[str, Any]:
        """What ``luthier versions --json`` prints."""
        return {
            "model": self.model,
            "versions": [
                {
                    "version": found.version,
                    "aliases": list(found.aliases),
                    "registered": registered_at(found).isoformat(timespec="seconds"),
                    "score": json.loads(found.tags[SCORE_TAG]) if SCORE_TAG in found.tags else None,
                    "proof": found.tags.get(PROOF_TAG),
                    "why": self.why(found),
                }
                for found in self.versions
            ],
            "history": [asdict(change) for change in self.history],
        }

    def why(self, version: RegisteredVersion) -> str | None:
        """Why it is or was champion, most recently; or why it did not become champion."""
        made = [change.reason for change in self.history if change.version == version.version]
        tagged = (version.tags.get(tag) for tag in (REASON_TAG, CHALLENGER_REASON_TAG))
        return next(filter(None, [*made[::-1], *tagged]), None)


def registered_at(version: RegisteredVersion) -> datetime:
    """When it was registered."""
    return datetime.fromtimestamp(version.created / 1000, UTC)


def print_versions(found: Versions, console: Console) -> None:
    """The versions as a table, and the history of champions below it."""
    if not found.versions:
        raise LuthierError("no version is registered", where=found.model, remedy="run it until its target is met")
    table = Table(box=None, pad_edge=False)
    for heading in ("version", "alias", "score", "registered", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "version")
    for version in found.versions:
        when = f"{registered_at(version):%Y-%m-%d %H:%M}"
        cells = [version.version, ", ".join(version.aliases), shown_score(version), when, found.why(version) or "–"]
        table.add_row(*map(escape, cells))
    console.print(table)
    if found.history:
        console.print("\nChampions, the newest first (UTC)", highlight=False)
    for change in reversed(found.history):
        before = f" in the place of version {change.before}" if change.before else ""
        line = f"{change.time[:16].replace('T', ' ')}  {change.kind}: version {change.version}{before}, by {change.by}."
        console.print(f"{line} {change.reason}", highlight=False, markup=False)


def shown_score(version: RegisteredVersion) -> str:
    """``accuracy 0.846 (0.828 to 0.863)``; of a version that was registered without one, a dash."""
    from luthier.evaluation.scores import Score
    from luthier.evaluation.wording import interval, metric_name, number

    if SCORE_TAG not in version.tags:
        return "–"
    given = json.loads(version.tags[SCORE_TAG])
    score = Score(given["value"], given["low"], given["high"])
    return f"{metric_name(given['metric'])} {number(given['metric'], score.value)} ({interval(given['metric'], score)})"


def promote(
    model: str,
    version: str | None,
    *,
    reason: str | None,
    force: bool,
    artifacts: ArtifactStore,
    tracking: Tracking,
) -> ChampionChange:
    """Makes a version, by default the challenger, the champion.

    Raises:
        LuthierError: there is no such version, or something speaks against it and ``force`` is not given.
    """
    aliases = tracking.aliases(model)
    chosen, before = version or aliases.challenger, aliases.champion
    if chosen is None:
        raise LuthierError("there is no challenger", where=model, remedy="name a version: --version N")
    found = require_servable(model, chosen, before, tracking)
    against = None if force else objection(found, before, artifacts, tracking)
    if against:
        raise LuthierError(
            f"version {chosen} is not promoted: {against}",
            where=model,
            remedy="run the recipe again, which compares the two; or promote it all the same: --force",
        )
    because = reason or f"Promoted by hand{', unchecked (--force)' if force else ''}."
    return _changed(aliases.promote(chosen, over=before, reason=because, by=person()))


def roll_back(model: str, to: str | None, *, reason: str | None, tracking: Tracking) -> ChampionChange:
    """Makes a version that was champion before, by default the last one, the champion again.

    Raises:
        LuthierError: there is no such version, its files are gone, or it is the champion.
    """
    aliases = tracking.aliases(model)
    before = aliases.champion
    if before is None:
        raise LuthierError("there is no champion to roll back from", where=model, remedy="luthier promote RECIPE")
    chosen = to or former(aliases.history(), tracking.registry.versions(model), before)
    if chosen is None:
        raise LuthierError("no champion before this one is known", where=model, remedy="name a version: --to N")
    require_servable(model, chosen, before, tracking)
    because = reason or "Rolled back by hand."
    return _changed(aliases.promote(chosen, over=before, reason=because, by=person(), kind="rollback"))


def former(history: Sequence[ChampionChange], versions: Sequence[RegisteredVersion], champion: str) -> str | None:
    """The last champion before the present one that is still registered."""
    there = {found.version for found in versions}
    return next((v for v in reversed(champions_before(history)) if v in there and v != champion), None)


def require_servable(model: str, version: str, champion: str | None, tracking: Tracking) -> RegisteredVersion:
    """The version, which must be there with its files, and not be the champion."""
    known = {found.version: found for found in tracking.registry.versions(model)}
    if version not in known:
        raise LuthierError(
            "there is no such version", where=model, received=version, remedy=f"one of {', '.join(known) or 'none yet'}"
        )
    if version == champion:
        raise LuthierError(f"version {version} is the champion already", where=model, remedy="luthier versions RECIPE")
    if not tracking.registry.has_files(model, version):
        raise LuthierError(f"the files of version {version} are gone", where=model, remedy="choose another version")
    return known[version]


def objection(
    version: RegisteredVersion, champion: str | None, artifacts: ArtifactStore, tracking: Tracking
) -> str | None:
    """What speaks against promoting a version over the champion, if anything does."""
    from luthier.evaluation.promotion import manual_objection

    if DIGEST_TAG in version.tags and PROOF_TAG not in version.tags:
        return "nobody has proved that it answers as its model did; the run that registered it ended before"
    if champion is None:
        return None
    candidate, incumbent = (
        registered_version(version.name, each, artifacts, tracking) for each in (version.version, champion)
    )
    found = compared(candidate, incumbent, artifacts)
    return manual_objection(*found, champion) if found else f"it was not compared with the champion, version {champion}"


def compared(
    candidate: RegisteredChampion, incumbent: RegisteredChampion, artifacts: ArtifactStore
) -> "tuple[str, PairedDifference, float] | None":
    """Metric, paired difference and margin, as either's report has them; None where neither compares the two."""
    from luthier.evaluation.promotion import reversed_difference
    from luthier.evaluation.report import read_report

    for one, other, seen in ((candidate, incumbent, lambda found: found), (incumbent, candidate, reversed_difference)):
        if one.report is None:
            continue
        try:
            report = read_report(artifacts.open("evaluation_report", one.report).folder)
        except LuthierError:
            # Gone or damaged: it is evidence of nothing.
            continue
        if report.champion and report.champion.digest == other.digest and report.champion.difference:
            return report.metric, seen(report.champion.difference), report.champion.margin
    return None


def person() -> str:
    """Who asks, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may give its user no name.
        return f"user {os.getuid()}"


def _changed(change: ChampionChange | None) -> ChampionChange:
    assert change is not None, "a champion was refused before"
    return change
