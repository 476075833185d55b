"""Each query of the API finds its rows by an index; benchmarks/million.py says what that comes to."""

import re
from collections.abc import Iterator

import pytest
from containers import Servers
from full_tables import calls, fill, plan_of, statements_of

from thumbnailer_storage.config import StorageSettings
from thumbnailer_storage.jobs import schema
from thumbnailer_storage.opening import Stores, open_stores

JOBS = 60_000
"""So many that the planner reads none of the large tables whole without need."""


@pytest.fixture(scope="module")
def full(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with servers.database() as url:
        stores = open_stores(StorageSettings(data=tmp_path_factory.mktemp("full"), database=url))
        schema.migrate(stores.database)
        fill(stores, JOBS)
        yield stores
        stores.close()


@pytest.mark.timeout(300)
def test_no_query_of_the_api_reads_a_large_table_whole(full: Stores) -> None:
    read_whole = {}
    for name, call in calls(full).items():
        call()
        with statements_of(full) as seen:
            call()
        assert seen
        plans = [line for one in seen for line in plan_of(full, *one)]
        read_whole[name] = [line for line in plans if re.search(r"Seq Scan on (?!ledger|totals|alembic)", line)]
    assert {name: lines for name, lines in read_whole.items() if lines} == {}


def test_no_list_reads_the_rows_before_its_page_nor_those_behind_what_is_asked_for(full: Stores) -> None:
    lists = {name: call for name, call in calls(full).items() if "?cursor" in name or "?since" in name}
    assert len(lists) == 3
    for name, call in lists.items():
        with statements_of(full) as seen:
            call()
        plans = "\n".join(line for one in seen for line in plan_of(full, *one, how="ANALYZE"))
        read = [int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", plans)]
        assert max(read, default=0) < 100, f"{name}: {plans}"
