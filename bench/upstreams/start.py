"""Starts the upstreams and counts what they served."""

import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import nginx
from bench.process import free_port, running
from bench.upstreams import data


class Upstream:
    """The running upstreams, behind one address."""

    def __init__(self, port: int, count_url: str, *, by_nginx: bool) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.by_nginx = by_nginx
        self._count_url = count_url
        self._asked = 0

    def count(self) -> int:
        """How many requests were served up to now, without those of this method."""
        with urllib.request.urlopen(self._count_url) as response:  # noqa: S310 – an address of our own
            text = response.read().decode()
        if not self.by_nginx:
            return int(text)
        self._asked += 1
        found = re.search(r"\n\s*\d+\s+\d+\s+(\d+)", text)
        assert found is not None, text
        return int(found[1]) - self._asked


@contextmanager
def upstreams(folder: Path, core: int | None) -> Iterator[Upstream]:
    """By nginx with Lua where it is installed, else by Python."""
    port, status = free_port(), free_port()
    if nginx.missing(lua=True):
        command = [sys.executable, "-m", "bench.upstreams.server"]
        with running(command, port, {"PORT": str(port)}, core):
            yield Upstream(port, f"http://127.0.0.1:{port}/_count", by_nginx=False)
        return
    _write_files(folder / "files")
    command = nginx.command(folder, _http(folder / "files", port, status), lua=True)
    with running(command, port, {}, core):
        yield Upstream(port, f"http://127.0.0.1:{status}/", by_nginx=True)


def _write_files(folder: Path) -> None:
    """What is too large for nginx's configuration. The large files are holes, so they take no room on disk."""
    (folder / "orders").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "catalog").write_bytes(data.ANSWERS["/catalog"])
    for lines in data.SIZES_OF_ORDERS:
        (folder / "orders" / str(lines)).write_bytes(data.order(lines))
    for name, size in (("1m", data.MIB), ("1g", data.GIB)):
        with (folder / "files" / name).open("wb") as file:
            file.truncate(size)


def _http(files: Path, port: int, status: int) -> str:
    plain = "".join(
        f"        location = {path} {{ return 200 '{body.decode()}'; }}\n"
        for path, body in data.ANSWERS.items()
        if "?" not in path and len(body) < 2048
    )
    products = data.ANSWERS["/products?user_id=1"].decode()
    one = data.product("$1").decode()
    return f"""
    open_file_cache max=100;
    server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {files};
{plain}
        location ~ ^/products/([0-9]+)$ {{ return 200 '{one}'; }}
        location = /products {{
            if ($args = "user_id=1") {{ return 200 '{products}'; }}
            content_by_lua_block {{
                local found = {{}}
                for id in ngx.var.args:gmatch("id=(%d+)") do
                    found[#found + 1] = ('{one}'):gsub("%$1", id)
                end
                local body = "[" .. table.concat(found, ",") .. "]"
                ngx.header.content_length = #body
                ngx.print(body)
            }}
        }}
        location = /slow {{
            content_by_lua_block {{
                ngx.sleep({data.SLOW_S})
                local body = '{products}'
                ngx.header.content_length = #body
                ngx.print(body)
            }}
        }}
    }}
"""
