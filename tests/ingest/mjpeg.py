"""A live stream for the tests: MJPEG over HTTP, as many cameras give it beside RTSP."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INTERVAL_S = 0.02


class Camera:
    """What the stream shows, and what became of it."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        self.frames_a_visit = 10**9
        """The stream breaks off after so many frames; then it may be opened again."""
        self.visits = 0
        self.address = ""
        self.ended = threading.Event()


@contextlib.contextmanager
def stream_of(image: bytes) -> Iterator[Camera]:
    """Serve `image` again and again until the block ends."""
    camera = Camera(image)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            camera.visits += 1
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
            with contextlib.suppress(OSError):
                for _ in range(camera.frames_a_visit):
                    self.wfile.write(head % len(camera.image) + camera.image + b"\r\n")
                    if camera.ended.wait(INTERVAL_S):
                        return

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    camera.address = f"http://127.0.0.1:{server.server_address[1]}/live.mjpg"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        camera.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
