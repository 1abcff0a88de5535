"""A way to an upstream on which we say who we are: by headers, by a token, by a signature."""

from collections.abc import Callable

from proxy.clock import unix_seconds
from proxy.plan.identity import IdentityPlan, SignaturePlan
from proxy.policy.signatures import components_of, content_digest, field_values, signature_fields
from proxy.upstream.beginning import begin_by_task
from proxy.upstream.exchange import Cancel, Client, Done, Pairs, StreamedResponse, UpstreamRequest, UpstreamResponse
from proxy.upstream.tokens import Tokens

_UNAUTHORIZED = 401


class Identified:
    """Asks `way`. What goes along takes the place of what came under the same names, whoever said it."""

    def __init__(self, way: Client, plan: IdentityPlan, scheme: str, tokens: Tokens | None) -> None:
        self._way = way
        self._tokens = tokens
        self._headers = list(plan.headers)
        self._sign = _signer(plan.signature, scheme) if plan.signature is not None else None
        ours = [name.lower() for name, _ in plan.headers]
        ours += ["authorization"] if plan.token is not None else []
        ours += ["signature", "signature-input", "content-digest"] if plan.signature is not None else []
        self._ours = frozenset(ours)

    def begin(self, request: UpstreamRequest, done: Done, /) -> Cancel:
        """`Upstream.begin`. Without a task, if there is a token that is good."""
        tokens = self._tokens
        if tokens is None:
            self._identify(request, None)
            return self._way.begin(request, done)
        token = tokens.current
        if token is None:
            return begin_by_task(self.send, request, done)
        cancel: Cancel

        def ended(answer: UpstreamResponse | Exception) -> None:
            nonlocal cancel
            if isinstance(answer, UpstreamResponse) and answer.status == _UNAUTHORIZED and tokens.refuse(token):
                cancel = begin_by_task(self._send_once, request, done)
            else:
                done(answer)

        self._identify(request, token)
        cancel = self._way.begin(request, ended)
        return lambda: cancel()

    async def send(self, request: UpstreamRequest, /) -> UpstreamResponse:
        """`Upstream.send`. A token that is refused is replaced, once."""
        tokens = self._tokens
        token = await tokens.get() if tokens is not None else None
        self._identify(request, token)
        answer = await self._way.send(request)
        if tokens is not None and token is not None and answer.status == _UNAUTHORIZED and tokens.refuse(token):
            return await self._send_once(request)
        return answer

    async def _send_once(self, request: UpstreamRequest) -> UpstreamResponse:
        assert self._tokens is not None
        self._identify(request, await self._tokens.get())
        return await self._way.send(request)

    async def open(self, request: UpstreamRequest, /) -> StreamedResponse:
        """`Opening.open`. A body that has gone cannot be sent again: its answer stays the 401."""
        tokens = self._tokens
        token = await tokens.get() if tokens is not None else None
        self._identify(request, token)
        again = request.stream is None
        answer = await self._way.open(request)
        if tokens is None or token is None or answer.status != _UNAUTHORIZED:
            return answer
        if not tokens.refuse(token) or not again:
            return answer
        answer.close()
        self._identify(request, await tokens.get())
        return await self._way.open(request)

    def _identify(self, request: UpstreamRequest, token: str | None) -> None:
        headers = [pair for pair in request.headers if pair[0].lower() not in self._ours]
        headers += self._headers
        if token is not None:
            headers.append(("Authorization", f"Bearer {token}"))
        if self._sign is not None:
            headers += self._sign(request, headers)
        # Not the same list: it may be that of other requests too.
        request.headers = headers


def _signer(plan: SignaturePlan, scheme: str) -> Callable[[UpstreamRequest, Pairs], Pairs]:
    """A function that gives the fields of a signature. A body that is still to come is not covered."""

    def sign(request: UpstreamRequest, headers: Pairs) -> Pairs:
        digest = [("Content-Digest", content_digest(request.body))] if request.body is not None else []
        fields = field_values([*headers, *digest])
        authority = fields.get("host", plan.authority)
        known = {**fields, **components_of(request.method, scheme, authority, plan.base_path + request.target)}
        signed = signature_fields(plan.covers, known, created=int(unix_seconds()), key_id=plan.key_id, sign=plan.sign)
        return [*digest, *signed]

    return sign
