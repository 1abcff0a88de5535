"""Regular expressions of the file that meet a client's text: RE2's, which take time in proportion to it (no ReDoS)."""

from importlib.util import find_spec
from typing import Any

from proxy.problems import Place


def compile_re2(text: str, place: Place, *, any_case: bool = False) -> Any:
    """A compiled expression; None after reporting a problem."""
    if find_spec("re2") is None:
        place.problem(
            "missing-extra",
            "regular expressions need a package that is not installed",
            "pip install 'proxy-composer[regex]'",
        )
        return None
    import re2  # noqa: PLC0415 (an extra)

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not any_case
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        place.problem("bad-regex", f"not a regular expression of RE2: {said}", "see RE2's syntax")
        return None
