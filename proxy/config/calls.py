"""What a call of a route may say, as pydantic models."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from proxy.config.fields import Bytes, Cel, Seconds, Share, Statuses, Strict, one_or_many


class Batch(Strict):
    """`from` is the list of keys; at most `size` of them are asked for at once."""

    source: str = Field(alias="from")
    size: int = Field(default=50, ge=1)


class CallCache(Strict):
    """Answers of a call that are kept in memory and shared by all who send the same."""

    ttl: Seconds
    """For how long at most; what the answer's own Cache-Control says can only shorten it."""
    stale_while_revalidate: Seconds = 0.0
    """For how long after that it is still used while a new one is asked for in the background."""
    stale_if_error: Seconds = 0.0
    """For how long after that it is used if the call fails."""
    per: Literal["call", "key"] = "call"
    """`key`: a batch keeps each element under its own key, and asks only for those that it does not have."""
    vary: list[str] = Field(default_factory=lambda: ["accept-language"])
    """Which of the headers that clients send for taste part one answer from another."""


class Retry(Strict):
    """A request that fails is made again, on another endpoint where there is one."""

    attempts: int = Field(default=2, ge=1, le=10)
    """Counting the first."""
    statuses: Statuses = Field(default_factory=lambda: ["502", "503", "504"])
    """Answers that count as a failure here."""
    backoff: Seconds = 0.025
    """The most that is waited before the second attempt; twice as much before the third, and so on."""
    methods: Annotated[list[str], BeforeValidator(one_or_many)] | None = None
    """What may be made again; the idempotent methods unless said. Any is, if no connection came about."""
    per_try: Seconds | None = None
    """How long one attempt may take."""


class Hedge(Strict):
    """A second request where the first has not answered in time; the first good answer counts."""

    after: Seconds


class Call(Strict):
    """One request to an upstream."""

    get: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    head: str | None = None
    query: dict[str, Any] = Field(default_factory=dict)
    """A list repeats the key; null or missing leaves it out."""
    headers: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    """Sent as JSON."""
    form: dict[str, Any] | None = None
    """Sent as application/x-www-form-urlencoded."""
    decode: Literal["json", "text", "xml"] = "json"
    lists: list[str] = Field(default_factory=list)
    """With `decode: xml`: the elements that are a list also when there is only one."""
    select: str | None = None
    """A path inside the answer; what it selects is stored."""
    when: Cel | None = None
    """False: the call is skipped and its value is null."""
    timeout: Seconds | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    ok: Statuses = Field(default_factory=lambda: ["2xx"])
    """The statuses that count as success."""
    ok_if: Cel | None = None
    """A condition over this call's own status, headers and body."""
    pass_status: Statuses = Field(default_factory=list)
    """Statuses of a failure that become the route's own status."""
    pass_body: bool = False
    """Pass the upstream's JSON body with `pass_status`."""
    fallback: Any = None
    """The value when the call fails; writing it, even as null, makes the call optional."""
    for_each: str | None = None
    """A list; the call is made once for each of its distinct values that are not null, which is `$.each`."""
    batch: Batch | None = None
    """A list; the call is made for chunks of its distinct values that are not null; each chunk is `$.batch`."""
    key: str | None = None
    """The path of the key in each element returned; with it the elements can be found by $lookup."""
    many: bool = False
    """Several elements may have one key; $lookup gives the list of them."""
    key_type: Literal["str"] | None = None
    """`str` compares keys as text; otherwise their types must be equal too."""
    concurrency: int = Field(default=8, ge=1, le=1000)
    """Requests of a fan-out under way at once."""
    distinct: bool = True
    """False: `for_each` makes a call for each element, also for equal ones."""
    tolerate: Share | None = None
    """Fan-out: the share of elements that may fail before the call does."""
    cache: CallCache | None = None
    coalesce: bool | None = None
    """Requests at the same time that send the identical GET share one answer; so do those with `cache`."""
    lazy: bool = False
    """Started only when a fallback needs it."""
    set_cookie: bool = False
    """Pass the answer's Set-Cookie headers to the client, whose answer is then not stored."""
    after: Annotated[list[str], BeforeValidator(one_or_many)] = Field(default_factory=list)
    """Calls that must be over before this one starts, where no data says so."""
    max_body: Bytes | None = None
    sample: Any = None
    """An example of the answer's body: `check` then finds paths that cannot match it."""
    schema_: Any = Field(default=None, alias="schema")
    """The JSON Schema of the answer's body, for the same."""

    @property
    def methods(self) -> list[str]:
        """The method keys that are written; exactly one is right."""
        return [key for key in METHOD_KEYS if getattr(self, key) is not None]


METHOD_KEYS = ("get", "post", "put", "patch", "delete", "head")
