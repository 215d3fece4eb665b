"""Run a training program as it is, and print what its training took. Called by `training.py`.

    python benchmarks/training_side.py PROGRAM ITS ARGUMENTS

Works for any program that trains with a transformers Trainer. The last line that it prints has the
processor's seconds between the begin and the end of the training, all threads together, the most
memory that the program has held, and the most that it has held on a GPU, in MB.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, trainer


class Clock(TrainerCallback):  # type: ignore[misc]
    """Count the processor's seconds of a training."""

    seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Begin to count."""
        self.seconds -= time.process_time()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """End."""
        self.seconds += time.process_time()


def peak_mb() -> float:
    """Return the most memory held so far; `ru_maxrss` would hand on that of the parent."""
    return int(re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def gpu_mb() -> float:
    """Return the most memory of a GPU that was allocated; 0 without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0


if __name__ == "__main__":
    clock = Clock()
    trainer.DEFAULT_CALLBACKS.append(clock)
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        took = {"processor_seconds": clock.seconds, "peak_mb": peak_mb(), "gpu_mb": gpu_mb()}
        print(f"training took {json.dumps(took)}", flush=True)
