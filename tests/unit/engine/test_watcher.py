from proxy.engine.composite import _Watcher
from proxy.engine.watcher import Watcher


def test_a_composite_watches_its_calls() -> None:
    watcher: Watcher = _Watcher("page", lambda event: None)
    assert callable(watcher.called)
    assert callable(watcher.looked)
