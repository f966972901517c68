"""Keeps a server running, in a process and a session of its own, and tells it which version is to answer."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from luthier.errors import LuthierError
from luthier.serving.control import Control, Target

log = logging.getLogger(__name__)

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
# A server answers what it has begun to before it ends.
STOP_SECONDS: Final = 40.0
# A server that ended sooner is started again after a pause, each time a longer one.
QUICK_SECONDS: Final = 30.0
LONGEST_PAUSE: Final = 30.0

Find = Callable[[], Target]


class Supervisor:
    """``find`` gives the version that an alias names now; None for a version that stays."""

    def __init__(self, control: Control, find: Find | None, *, every: float, command: Sequence[str] | None = None):
        self.control, self.find, self.every = control, find, every
        self.command = command or [sys.executable, "-m", "luthier.serving.server", str(control.folder)]
        self.target = control.target
        self.failed = ""
        self.quick_ends = 0

    def run(self) -> int:
        """Until SIGINT or SIGTERM; gives the exit code, which is that of a server that never answered."""
        before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
        server = self._start()
        try:
            while True:
                code = self._wait(server)
                if code is not None:
                    if self.control.state is None:
                        return code or 1
                    self._pause(code)
                    server = self._start()
                self._look()
        except KeyboardInterrupt:
            return 0
        finally:
            self._stop(server)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self) -> subprocess.Popen[bytes]:
        self.started = time.monotonic()
        return subprocess.Popen(self.command, start_new_session=True)

    def _wait(self, server: subprocess.Popen[bytes]) -> int | None:
        """The exit code of a server that ended; what it had started ends with it, and frees the port."""
        try:
            code = server.wait(timeout=self.every)
        except subprocess.TimeoutExpired:
            return None
        _kill_group(server.pid)
        return code

    def _pause(self, code: int) -> None:
        quick = time.monotonic() - self.started < QUICK_SECONDS
        self.quick_ends = self.quick_ends + 1 if quick else 0
        pause = min(LONGEST_PAUSE, 2.0 ** (self.quick_ends - 1)) if quick else 0.0
        log.error("the server ended with code %d, and is started again", code)
        time.sleep(pause)

    def _look(self) -> None:
        """Aims at another version when the alias moved. A registry that is away, or a full disk, changes nothing."""
        if self.find is None:
            return
        try:
            found = self.find()
        except (LuthierError, OSError) as error:
            if str(error) != self.failed:
                log.warning("what the alias names cannot be had, version %s goes on: %s", self.target.version, error)
            self.failed = str(error)
            return
        self.failed = ""
        if found != self.target:
            log.info("the alias names version %s, before it version %s", found.version, self.target.version)
            self.target = found
            self.control.aim_at(found)

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        if server.poll() is None and self.control.state is not None:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("the server does not end, and is killed")
        _kill_group(server.pid)
        server.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
