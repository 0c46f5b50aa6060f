"""What a person without a preset brings."""

import http.server
import json
import os
import signal
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


for port in ("PORT", "METRICS_PORT"):
    server = http.server.ThreadingHTTPServer(("", int(os.environ[port])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
# Exits like a JVM, and like frameworks that raise the signal again.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
print(json.dumps({"message": "starts", "version": os.environ["VERSION"]}), flush=True)
signal.pause()
