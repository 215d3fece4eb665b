"""What endpoints charge per token, where the task does not say: the genai-prices table."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

from ladder.task import Prices

MILLION = 1_000_000


@lru_cache(maxsize=64)
def listed_prices(model: str, base_url: str) -> Prices | None:
    """Return a model's listed prices; None where the table does not know it at this address.

    The table comes inside the package: nothing is asked over the network.
    """
    from genai_prices import Usage, calc_price

    try:
        found = calc_price(
            Usage(input_tokens=MILLION, output_tokens=MILLION),
            model_ref=model,
            provider_api_url=base_url,
        )
    except LookupError:
        return None
    checked = getattr(found.model, "prices_checked", None)
    return Prices(
        input_usd_per_1m=float(found.input_price),
        output_usd_per_1m=float(found.output_price),
        source=f"genai-prices {version('genai-prices')}",
        priced=checked,
    )
