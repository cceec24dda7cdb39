"""The master of a Sentinel group is killed in the middle of the work; a replica takes over."""

from __future__ import annotations

import threading
from pathlib import Path

from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.support.noop import noop_bench
from tests.support.sentinel import Sentinel

PASSWORD = "a-password-of-redis"


def test_no_job_is_lost_or_run_twice_by_a_failover(settings: Settings, tmp_path: Path) -> None:
    with Sentinel(
        tmp_path, replicas=1, sentinels=3, password=PASSWORD, sentinel_password=PASSWORD
    ) as group:
        live = settings.model_copy(update={"redis_url": group.full_url, "visibility_timeout": 2.0})
        with noop_bench(live, tmp_path / "worker.log") as bench:
            inspect = bench.app.control.inspect(timeout=20, limit=1)
            shown = [inspect.stats(), inspect.conf(), inspect.report()]
            assert all(shown)
            assert PASSWORD not in repr(shown)
            submitted: list[str] = []
            stop = threading.Event()

            def submit() -> None:
                while not stop.wait(0.01):
                    submitted.append(bench.submit(f"第{len(submitted)}个 text"))

            producing = threading.Thread(target=submit)
            producing.start()
            try:
                bench.until(lambda: len(submitted) > 100)
                bench.ended(submitted[:50])
                group.kill_master()
                killed_at = len(submitted)
                bench.until(lambda: group.master_now() not in (None, group.master_port))
                failed_over_at = len(submitted)
                bench.until(lambda: len(submitted) > failed_over_at + 100)
            finally:
                stop.set()
                producing.join()
            assert killed_at < failed_over_at, "nothing was submitted while there was no master"
            jobs = bench.ended(submitted)
            assert {job.state for job in jobs} == {JobState.SUCCEEDED}
            assert {job.attempts for job in jobs} == {1}
            assert bench.worker.terminate() == 0
