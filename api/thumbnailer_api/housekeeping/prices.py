"""Read what EC2's spot instances cost, for the price gate of a pool of workers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import Gauge

from thumbnailer_api.housekeeping.scaling import Fresh
from thumbnailer_storage.errors import PriceUnavailable

PRICES_SECONDS = 300.0
AGAIN_SECONDS = 30.0
"""The pause after a failure."""

dollars = Gauge(
    "thumbnailer_spot_price_dollars", "Dollars an hour of a spot instance, in the region's cheapest zone", ["type"]
)


class Prices:
    """Keeps the price of each instance type in `prices`; `cheapest` asks for one, and raises PriceUnavailable."""

    def __init__(self, instances: Sequence[str], prices: Fresh[float], cheapest: Callable[[str], float]) -> None:
        self._instances = instances
        self._prices = prices
        self._cheapest = cheapest
        for instance in instances:
            dollars.labels(instance).set_function(partial(self._shown, instance))

    def __call__(self) -> int:
        """Returns how many prices were read; raises what kept one from it, once all others are."""
        trouble = None
        for instance in self._instances:
            try:
                self._prices.set(instance, self._cheapest(instance))
            except PriceUnavailable as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return len(self._instances)

    def _shown(self, instance: str) -> float:
        return dict(self._prices).get(instance, math.nan)
