"""The process that llama.cpp runs in: it serves one file on loopback until its parent is gone.

    python -m ladder.engines.gguf.child FILE CONTEXT THREADS

It prints its address when it answers. Two runtimes for threads, PyTorch's and llama.cpp's, do not
share a process here.
"""

from __future__ import annotations

import os
import sys


def main(file: str, context: str, threads: str) -> None:
    """Serve until standard input ends, which it does with the process that opened it."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = file
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0
    wanted.n_ctx, wanted.n_parallel = int(context), 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = int(threads)
    wanted.n_gpu_layers = 0
    wanted.offline, wanted.ui = True, False
    wanted.server_tools, wanted.endpoint_slots, wanted.verbosity = [], False, 1
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # what is under way is nobody's any more


if __name__ == "__main__":
    main(*sys.argv[1:])
