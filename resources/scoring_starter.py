"""A process that has paid MLflow's and torch's imports, and forks a scoring server of MLflow's own for each order.

Run as a file, with the descriptor of a socket. It imports nothing of Luthier: the package brings its own. An order is
JSON with two descriptors beside it: the listening socket, and a life line. Where the other end of the life line is
closed, however its process ended, the server ends; where the orders' socket is, this process does.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Any

LONGEST_ORDER = 65536
LIBRARIES = (
    "mlflow.pyfunc.scoring_server",
    "peft",
    "torch",
    "transformers.modeling_utils",
    "transformers.trainer_utils",
    "uvicorn",
)


def main() -> None:
    orders = socket.socket(fileno=int(sys.argv[1]))
    # A package's folder stays as it is.
    sys.dont_write_bytecode = True
    # Nobody waits for the servers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _import_libraries()
    gc.freeze()
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, LONGEST_ORDER, 2)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _serve(json.loads(order), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _import_libraries() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)


def _serve(order: dict[str, Any], listening: int, life_line: int) -> None:
    """Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    threading.Thread(target=_end_with, args=(life_line,), daemon=True).start()
    try:
        import torch
        import uvicorn

        torch.set_num_threads(order["threads"])
        os.environ |= order["environment"]
        uvicorn.run("mlflow.pyfunc.scoring_server.app:app", fd=listening, log_level="warning")
    except BaseException:  # noqa: BLE001 (whatever ends the server belongs in its log)
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def _end_with(life_line: int) -> None:
    while os.read(life_line, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
