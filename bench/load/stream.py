"""Reads one large answer and throws it away; prints its status, length and time."""

import http.client
import json
import sys
from time import perf_counter


def main(port: int, path: str) -> None:
    started = perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    response = connection.getresponse()
    buffer = bytearray(256 * 1024)
    length = 0
    while got := response.readinto(buffer):
        length += got
    result = {"status": response.status, "length": length, "seconds": perf_counter() - started}
    print(json.dumps(result))


if __name__ == "__main__":
    _, port_, path_ = sys.argv
    main(int(port_), path_)
