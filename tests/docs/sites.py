"""A site on this machine."""

import contextlib
import sys
import threading
from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Says nothing of visitors that leave before they are answered, and ends with all answers."""

    daemon_threads = False

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def served(handler):
    """The address of a site with these answers."""
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
