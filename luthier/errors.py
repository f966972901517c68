"""What a person can get wrong, said so that they can mend it."""


class LuthierError(ValueError):
    """A person's mistake: what is wrong, where, the value received and the remedy."""

    def __init__(self, what: str, *, where: str | None = None, received: object = None, remedy: str | None = None):
        self.what, self.where, self.received, self.remedy = what, where, received, remedy
        lines = [what if where is None else f"{where}: {what}"]
        if received is not None:
            lines.append(f"received: {received!r}")
        if remedy is not None:
            lines.append(f"remedy: {remedy}")
        super().__init__("\n".join(lines))


class SourceError(LuthierError):
    """A source that cannot be read: missing, wrong digest, wrong form."""


class NotDownloadedError(SourceError):
    """A source that would have to be downloaded first, asked for without a network."""


class DataError(LuthierError):
    """Rows that cannot be turned into splits."""


class ModelError(LuthierError):
    """A model, or a method on a model, that cannot work."""


class UndefinedMetricError(LuthierError):
    """A metric that some rows leave without a value."""


class NonFiniteLossError(LuthierError):
    """The loss became NaN or infinite."""


class TrainingDivergedError(LuthierError):
    """The loss stayed far above where it began."""


class OutOfMemoryError(LuthierError):
    """A training ran out of memory."""


class ResourceError(LuthierError):
    """A training that would need more memory or disk than there is."""


class ParityError(LuthierError):
    """A merged or packaged model that does not answer as the adapter does."""
