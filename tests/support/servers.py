"""Real servers on the loopback, in threads of the test process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from .waiting import PATIENCE_S

RATE = 30
WIDTH, HEIGHT = 64, 48


class SocketFile:
    """What PyAV writes a stream to."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> int:
        self._connection.sendall(data)
        return len(data)


def picture(index: int) -> av.VideoFrame:
    """A grey frame, its brightness the number of the frame."""
    image = np.full((HEIGHT, WIDTH, 3), index % 200, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame.pts, frame.time_base = index, Fraction(1, RATE)
    return frame


def silence(index: int) -> av.AudioFrame:
    """The sound of one frame."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000 // RATE), np.int16), "s16", "mono")
    frame.sample_rate, frame.pts = 48000, index * 48000 // RATE
    frame.time_base = Fraction(1, 48000)
    return frame


def add_stream(container: av.container.OutputContainer) -> av.VideoStream:
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
    stream = container.add_stream("libx264", rate=RATE, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    return stream


class Server:
    """Accepts one client after another and serves each in real time until it is killed."""

    scheme = ""

    def __init__(
        self,
        port: int = 0,
        *,
        frames: int | None = None,
        silent_after: int = -1,
        sound: bool = False,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._frames = frames
        self._silent_after = silent_after
        self._sound = sound
        self._killed = threading.Event()
        self._connections: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.clients = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/live"

    def kill(self) -> None:
        """Hang up on everybody and free the port."""
        self._killed.set()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(PATIENCE_S)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._killed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._connections.append(connection)
            self.clients += 1
            with contextlib.suppress(OSError, av.FFmpegError):
                self.serve(connection)
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def paced(self) -> Iterator[int]:
        """The numbers of the frames, each when its time has come."""
        started, index = time.monotonic(), 0
        while self._frames is None or index < self._frames:
            if index == self._silent_after:
                self._killed.wait()
            if self._killed.wait(max(0.0, started + index / RATE - time.monotonic())):
                return
            yield index
            index += 1


class HttpServer(Server):
    """Sends an endless MPEG-TS in answer to a GET."""

    scheme = "http"

    def serve(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        with av.open(SocketFile(connection), "w", format="mpegts", buffer_size=1316) as container:
            stream = add_stream(container)
            sound = container.add_stream("aac", rate=48000) if self._sound else None
            for index in self.paced():
                if isinstance(sound, av.AudioStream):
                    container.mux(sound.encode(silence(index)))
                container.mux(stream.encode(picture(index)))


class RtspServer(Server):
    """Speaks enough RTSP for a client that plays H.264 over TCP (RFC 2326, RFC 6184)."""

    scheme = "rtsp"

    def serve(self, connection: socket.socket) -> None:
        requests = connection.makefile("rb")
        for method, number in self._requests(requests):
            body = b""
            headers = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n"
            if method == "OPTIONS":
                headers += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = (
                    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                    b"a=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
                )
                headers += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                headers += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            connection.sendall(headers.encode() + b"\r\n" + body)
            if method == "PLAY":
                self._play(connection)
                return

    def _requests(self, stream: object) -> Iterator[tuple[str, str]]:
        method, number = "", "0"
        for line in stream:  # type: ignore[attr-defined]
            text = line.decode().strip()
            if not text:
                yield method, number
                method = ""
            elif not method:
                method = text.split()[0]
            elif text.lower().startswith("cseq:"):
                number = text.partition(":")[2].strip()

    def _play(self, connection: socket.socket) -> None:
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        sequence = 0
        for index in self.paced():
            for packet in encoder.encode(picture(index)):
                units = [
                    u for u in bytes(packet).replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if u
                ]
                for unit in units:
                    last = 0x80 if unit is units[-1] else 0
                    header = bytes([0x80, 96 | last]) + sequence.to_bytes(2, "big")
                    header += (index * 90000 // RATE).to_bytes(4, "big") + b"test"
                    data = header + unit
                    connection.sendall(b"$\0" + len(data).to_bytes(2, "big") + data)
                    sequence = (sequence + 1) % 65536
