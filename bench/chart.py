"""A run as a picture: for each case, a bar of requests per second for each contestant."""

from bench.results import Run


def chart(run: Run) -> str:
    return ""
