"""The name of a caller by HTTP, the least that answers: `python -m tests.bench.peers.endpoint DATABASE`.

It writes its port on standard output and keeps the database open. A CRM's own endpoint does more for each question.
"""

from __future__ import annotations

import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.bench.peers.agi import name_of


def main(path: str) -> None:
    database = sqlite3.connect(path)  # it may be filled later

    class Answer(BaseHTTPRequestHandler):
        wbufsize = -1  # the answer in one piece

        def do_GET(self) -> None:
            (number,) = parse_qs(urlsplit(self.path).query)["number"]
            name = name_of(number, database, "indexed").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name)

        def log_message(self, *words: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
