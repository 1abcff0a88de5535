"""nginx as a contestant: `proxy_pass`, and the routes by hand in Lua."""

from pathlib import Path

# As someone would tune it: connections to the upstream kept, nothing spooled to disk, buffers of a useful size. With
# the usual small ones large answers stall, and what Lua captures must fit into them: nobody reads it before its end.
_UP = """
    upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_max_temp_file_size 0;
    proxy_buffers 16 64k;
    proxy_busy_buffers_size 128k;
"""


def passing(upstream: int, port: int) -> str:
    return f"""{_UP.format(upstream=upstream)}
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://up; }} }}
"""


def composing(upstream: int, port: int) -> str:
    return f"""{_UP.format(upstream=upstream)}
    lua_package_path "{Path(__file__).parent}/?.lua;;";
    init_by_lua_block {{ require "routes" }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /up/ {{ internal; proxy_pass http://up/; }}
        location ~ ^/user-products/(?<id>[0-9]+)$ {{ content_by_lua_block {{ require("routes").user_products() }} }}
        location ~ ^/slow/(?<id>[0-9]+)$ {{ content_by_lua_block {{ require("routes").slow() }} }}
        location ~ ^/profile/(?<id>[0-9]+)$ {{ content_by_lua_block {{ require("routes").profile() }} }}
        location ~ ^/catalog/(?<how>[a-z]+)/(?<id>[0-9]+)$ {{
            content_by_lua_block {{ require("routes").catalog() }}
        }}
        location ~ ^/orders/(?<how>[a-z]+)/(?<id>[0-9]+)$ {{
            content_by_lua_block {{ require("routes").order() }}
        }}
    }}
"""
