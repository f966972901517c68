"""When a recipe runs by itself."""

from zoneinfo import available_timezones

from pydantic import Field, field_validator

from luthier.recipe.cron import cron_mistake
from luthier.recipe.problems import nearest
from luthier.recipe.section import Section


class ScheduleSection(Section):
    """When the recipe runs by itself: a cron text alone, or with a time zone."""

    cron: str | None = Field(
        default=None,
        description='Minute, hour, day, month and weekday, as in "0 3 * * 1" (Mondays at three), or a name such as '
        "@daily; null is never.",
    )
    time_zone: str = Field(default="UTC", description="The IANA time zone that cron is read in.")

    @field_validator("cron")
    @classmethod
    def _comes(cls, cron: str | None) -> str | None:
        if cron is not None and (mistake := cron_mistake(cron)):
            raise ValueError(f'must be a cron text such as "0 3 * * 1": {mistake}')
        return cron

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in (known := available_timezones()):
            raise ValueError(f"must be a time zone of the IANA database, such as {nearest(zone, known) or 'UTC'}")
        return zone
