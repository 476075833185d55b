"""Every query of the API on PostgreSQL with a million jobs: how long it takes, and by which index it finds its rows.

`--plans` prints each plan whole, with what it really read.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers import Servers
from full_tables import calls, fill, plan_of, seconds_of, statements_of

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.opening import Stores, open_stores

ROUNDS = 30


@contextmanager
def opened() -> Iterator[Stores]:
    servers = Servers()
    try:
        with tempfile.TemporaryDirectory() as folder, servers.database() as url:
            stores = open_stores(StorageSettings(data=Path(folder), database=url))
            schema.migrate(stores.database)
            yield stores
            stores.close()
    finally:
        servers.down()


def found_by(plan: list[str]) -> str:
    """The indices, and the tables that are read whole."""
    found = [
        f"{kind or ''}{name}"
        for kind, name in re.findall(r"(?:using|Index Scan on|(Seq Scan on )) ?(\S+)", "\n".join(plan))
    ]
    return ", ".join(dict.fromkeys(found)) or "-"


def measure(stores: Stores, *, plans: bool) -> None:
    print(f"{'call':44} {'median ms':>9} {'worst ms':>9}  found by")
    for name, call in calls(stores).items():
        call()
        with statements_of(stores) as seen:
            call()
        took = seconds_of(call, ROUNDS)
        known = [plan_of(stores, *one) for one in seen]
        by = ", ".join(dict.fromkeys(part for plan in known for part in found_by(plan).split(", ") if part != "-"))
        print(f"{name:44} {statistics.median(took) * 1e3:9.2f} {took[-1] * 1e3:9.2f}  {by}")
        if plans:
            for one in seen:
                print(one[0])
                print("\n".join(f"    {line}" for line in plan_of(stores, *one, how="(ANALYZE, BUFFERS)")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--plans", action="store_true")
    wanted = parser.parse_args()
    with opened() as stores:
        fill(stores, wanted.jobs)
        print(f"{wanted.jobs} jobs")
        measure(stores, plans=wanted.plans)


if __name__ == "__main__":
    main()
