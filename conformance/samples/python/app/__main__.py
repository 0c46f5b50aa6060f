import http.server
import json
import os
import signal
import threading

from app import add


def serve(port: str, answers: dict[str, int]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.get(self.path, 404))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("", int(port)), Handler)
    threading.Thread(target=server.serve_forever).start()
    return server


# No server has the address of the database.
ready = 503 if "DATABASE_HOST" in os.environ else 200
servers = [
    serve(os.environ["PORT"], {"/livez": 200, "/readyz": ready}),
    serve(os.environ["METRICS_PORT"], {"/metrics": 200}),
]
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
started = {"message": "starts", "version": os.environ["VERSION"], "sum": add(1, 2)}
print(json.dumps(started))
ended.wait()
for server in servers:
    server.shutdown()
