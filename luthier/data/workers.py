"""Work on many batches in worker processes, with the results in the batches' order and few of them in memory."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ROWS_AT_ONCE = 8192
# Below this a worker process takes longer to start than it saves.
ROWS_WORTH_WORKERS = 40_000


def in_order(function: Callable[[Item], Result], items: Iterable[Item], *, rows: int) -> Iterator[Result]:
    """``function`` of every item, in order: in this process for few ``rows``, else in one process per core.

    ``function``, items and results are pickled; an exception in a worker is raised here.
    """
    workers = len(os.sched_getaffinity(0)) if rows >= ROWS_WORTH_WORKERS else 1
    if workers == 1:
        yield from map(function, items)
        return
    # Forked, a worker would inherit locks that other threads hold.
    context = multiprocessing.get_context("spawn")
    pending: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
