"""Configurations of nginx: one process, one worker, everything it writes in a folder of its own."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

_LUA_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")


def missing(*, lua: bool) -> str | None:
    """Why nginx cannot be used, or None."""
    if shutil.which("nginx") is None:
        return "nginx is not installed"
    if lua and not all((_modules() / name).exists() for name in _LUA_MODULES):
        return "nginx has no Lua module (Debian: libnginx-mod-http-lua, lua-cjson)"
    return None


@cache
def _modules() -> Path:
    said = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    return Path(said.partition("--modules-path=")[2].split(" ")[0].strip() or "/usr/lib/nginx/modules")


def command(folder: Path, http: str, *, lua: bool) -> list[str]:
    """Write the configuration with these parts of `http` in it; returns the command that runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = "".join(f"load_module {_modules() / name};\n" for name in _LUA_MODULES) if lua else ""
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Without a master the process that was started is the worker: its CPU and memory are what is read.
    text = f"""{modules}daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
{temporary}{http}}}
"""
    config = folder / "nginx.conf"
    config.write_text(text, "utf-8")
    return ["nginx", "-e", str(folder / "error.log"), "-c", str(config)]
