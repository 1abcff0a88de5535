"""A plan told to a person: the table of routes, and one route's call graph as text or Mermaid."""

from typing import Any

from proxy.plan.auth import LoginPlan
from proxy.plan.graph import Edge, Graph
from proxy.plan.nodes import Action, CallPlan, CompositePlan, Plan, RedirectPlan, ReplyPlan, RoutePlan
from proxy.plan.proxying import ProxyPlan


def describe_routes(plan: Plan) -> list[dict[str, Any]]:
    """Every route as a JSON object, in the order of the file."""
    return [
        {
            "name": route.name,
            "methods": list(route.methods) or ["*"],
            "path": route.pattern,
            "host": route.host,
            "action": action_name(route.action),
            "upstreams": list(upstreams_of(route.action)),
            "timeout_ms": round(route.timeout_s * 1000),
            "summary": route.summary,
            "place": f"{route.span.file}:{route.span.line}",
        }
        for route in plan.routes
    ]


def action_name(action: Action) -> str:
    match action:
        case CompositePlan():
            return "compose"
        case ProxyPlan():
            return "proxy"
        case ReplyPlan():
            return "reply"
        case RedirectPlan():
            return "redirect"
        case LoginPlan():
            return "login"


def upstreams_of(action: Action) -> tuple[str, ...]:
    """The upstreams that an action may ask, in the order of the file."""
    match action:
        case CompositePlan(calls=calls):
            return tuple(dict.fromkeys(call.upstream for call in calls))
        case ProxyPlan(mirror=mirror) as plan:
            return tuple(dict.fromkeys((*plan.variants, *(() if mirror is None else (mirror.upstream,)))))
    return ()


def routes_table(plan: Plan) -> str:
    """The routes as a table for a terminal."""
    rows = [("METHODS", "PATH", "NAME", "ACTION", "UPSTREAMS")]
    for route in plan.routes:
        host = f"{route.host}" if route.host else ""
        upstreams = ", ".join(upstreams_of(route.action))
        rows.append(
            (",".join(route.methods) or "*", host + route.pattern, route.name, action_name(route.action), upstreams)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def explain(route: RoutePlan) -> str:
    """A route in words: what it calls, what waits for what and why, how many calls at worst, the critical path."""
    head = f"{route.name}: {','.join(route.methods) or '*'} {route.pattern} → {action_name(route.action)}"
    lines = [head, f"  at {route.span.file}:{route.span.line}, within {_seconds(route.timeout_s)}"]
    action = route.action
    if not isinstance(action, CompositePlan):
        upstreams = upstreams_of(action)
        return "\n".join([*lines, *(f"  upstream {name}" for name in upstreams)])
    lines.append("")
    for call in action.calls:
        lines += _explain_call(call, action.graph)
    lines.append("")
    lines.append(f"  upstream requests at worst: {sum(worst_case(call) for call in action.calls)}")
    lines.append(f"  critical path: {' → '.join(action.graph.critical_path()) or 'none'}")
    return "\n".join(lines)


def worst_case(call: CallPlan) -> int:
    """The most requests that one call can cost."""
    if call.fan is None:
        return 1
    return -(-call.fan.max_items // (call.fan.size or 1))


def _fan(call: CallPlan) -> str:
    """What a fan-out adds to a call's line."""
    fan = call.fan
    if fan is None:
        return ""
    if fan.size is None:
        return f" for each of {fan.source_text}, at most {worst_case(call)} requests, {fan.concurrency} at once,"
    return f" in batches of {fan.size} of {fan.source_text}, at most {worst_case(call)} requests,"


def _explain_call(call: CallPlan, graph: Graph) -> list[str]:
    edges = [edge for edge in graph.edges if edge.target == call.name]
    needs = [edge for edge in edges if not edge.fallback]
    start = "starts when a fallback needs it" if call.lazy else "starts at once"
    if needs:
        start = f"waits for {', '.join(dict.fromkeys(edge.source for edge in needs))}"
    kind = "optional" if call.fallback is not None else "required"
    lines = [f"  {call.name}: {call.method} {call.upstream}:{call.target.text} ({kind}){_fan(call)} {start}"]
    lines += [f"      {edge.source} is read in {edge.expression}" for edge in needs]
    lines += [f"      {edge.source} is read by the fallback in {edge.expression}" for edge in edges if edge.fallback]
    return lines


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def mermaid(route: RoutePlan) -> str:
    """The call graph as a Mermaid flowchart: solid arrows carry data, dotted ones feed a fallback."""
    lines = ["flowchart LR", f"    request([{_label(','.join(route.methods) or '*')} {_label(route.pattern)}])"]
    action = route.action
    if not isinstance(action, CompositePlan):
        lines += [f"    request --> {name}[({_label(name)})]" for name in upstreams_of(action)]
        return "\n".join(lines)
    for call in action.calls:
        request = f"{call.method} {_label(call.upstream)}:{_label(call.target.text)}"
        lines.append(f'    call_{call.name}["{_label(call.name)}<br/>{request}"]')
        if not call.requires and not call.lazy:
            lines.append(f"    request --> call_{call.name}")
    lines += [_arrow(edge) for edge in action.graph.edges]
    return "\n".join([*lines, *(f"    call_{name} --> answer([answer])" for name in _last(action.graph))])


def _arrow(edge: Edge) -> str:
    arrow = "-.->" if edge.fallback else "-->"
    return f'    call_{edge.source} {arrow}|"{_label(edge.expression)}"| call_{edge.target}'


def _last(graph: Graph) -> list[str]:
    sources = {edge.source for edge in graph.edges if not edge.fallback}
    return [name for name in graph.calls if name not in sources]


def _label(text: str) -> str:
    """Text that Mermaid takes as text (its own entity codes for what it would read)."""
    return "".join(f"#{ord(char)};" if char in '"<>{}[]()#;|`' else char for char in text)
