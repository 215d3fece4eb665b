"""A driver: asks a cluster what a file names, through the cache, as a run does.

`python -m engines.sharded.driver ORDER`: ORDER is JSON; what came of it is printed as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from engines.sharded.counting import Counting, Sharded, as_rows, requests_of

from ladder.engines.sharded import Crew, Place
from ladder.errors import EngineError
from ladder.models.cache import Cache, CachedEngine


def main(order: dict) -> None:
    said: list[str] = []
    crew = Crew(Place(order["address"], cpus=1, **order.get("place", {})), said.append)
    opener = partial(
        Counting, order["log"], order["seconds"], os.getpid(), order.get("weights", "")
    )
    engine = CachedEngine(Sharded(opener(), opener, crew), Cache(Path(order["cache"])))
    answers, error = [], ""
    try:
        for pair in engine.complete(requests_of(order["texts"])):
            answers += as_rows([pair])
    except EngineError as raised:
        error = str(raised)
    crew.close()
    found = {"answers": answers, "error": error, "said": said, "counts": vars(crew.counts)}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
