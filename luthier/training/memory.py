"""Memory of this process, or of the accelerator where there is one; in bytes."""

import ctypes
import platform
import resource
from pathlib import Path

import psutil
import torch

STATUS = Path("/proc/self/status")
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def resident_memory(device: str) -> int:
    """What is in use now."""
    if device == "cuda":
        return torch.cuda.memory_allocated()
    return psutil.Process().memory_info().rss


def peak_memory(device: str) -> int:
    """The most that was in use so far.

    The kernel's own record of a process begins with its parent's peak; that of its address space does not.
    """
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if STATUS.is_file():
        found = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(found["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def available_memory(device: str) -> int:
    """What can still be taken, within the limit of a container."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    free = psutil.virtual_memory().available
    if LIMIT.is_file() and (limit := LIMIT.read_text().strip()) != "max":
        return min(free, int(limit) - int(USED.read_text()))
    return free


def release_memory(device: str) -> None:
    """Gives back what was freed and is kept for later.

    On a CPU, glibc keeps it in pieces that rows of another length do not fit: left alone, a training grows by half.
    """
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "cpu" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
