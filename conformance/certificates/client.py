# Opens one connection over TLS that trusts a file: `client.py FILE PORT`.
import socket
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=20) as plain:
    context.wrap_socket(plain, server_hostname="localhost").close()
