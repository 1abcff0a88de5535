"""Programs that tests talk to as they are: skipped where one is missing, but not in continuous integration."""

import os
import shutil
from typing import NoReturn

import pytest


def needed(*programs: str) -> str:
    """The path of the first of these that is here. Continuous integration installs them, and sets REAL_SERVERS."""
    for program in programs:
        if (found := shutil.which(program)) is not None:
            return found
    missing(f"there is no {' and no '.join(programs)} here")


def missing(what: str) -> NoReturn:
    """Skip, or fail where nothing may be left out without being seen."""
    if os.environ.get("REAL_SERVERS"):
        pytest.fail(f"{what}, and REAL_SERVERS says that there is")
    pytest.skip(what)
