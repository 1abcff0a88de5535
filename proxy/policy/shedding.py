"""Which requests are refused because the process is late. Pure.

A request's age is how long it has waited in this process before anybody began with it: the queue is that of the event
loop, and there is no other. Controlled delay, as in CoDel (RFC 8289, and Nichols and Jacobson, 2012): one pause is no
overload, and nothing is refused for it unless somebody waited for longer than `after_s`. When requests have been late
for as long as that, again and again, those that waited longer than `wait_s` are refused. It costs little, so the others
are answered soon, as many as there is time for, rather than all of them too late.
"""


class Shedding:
    """The state of one process."""

    __slots__ = ("_after_s", "_last", "_since", "wait_s")

    def __init__(self, wait_s: float, after_s: float) -> None:
        self.wait_s = wait_s
        self._after_s = after_s
        self._since = self._last = float("-inf")

    def sheds(self, age: float, now: float) -> bool:
        """Whether a request of this age, which is more than `wait_s`, is refused."""
        if now - self._last > self._after_s / 2:
            self._since = now  # it had been in time for so long
        self._last = now
        return now - self._since >= self._after_s or age > self._after_s

    def change(self, wait_s: float, after_s: float) -> None:
        """Other limits from now on."""
        self.wait_s, self._after_s = wait_s, after_s
