from proxy.admin.together import Together
from proxy.server.workers import Workers


def test_what_a_worker_counted_stays_when_another_takes_its_place() -> None:
    workers = Workers(1, lambda number, channel: [], [])
    together = Together(workers, lambda number: "", lambda: True)
    text = "# HELP a_total A.\n# TYPE a_total counter\na_total 2.0\n"
    worker = workers.all[0]
    worker.pid = 1
    assert "a_total 2.0" in together._merge([(worker, text)])
    worker.pid = 2
    assert "a_total 4.0" in together._merge([(worker, text)])
    assert "a_total 4.0" in together._merge([]), "one that does not answer has counted all the same"
