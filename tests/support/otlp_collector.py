"""Collect traces in tests: receive OTLP over HTTP, as a real collector does."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Hold the received spans as protobuf messages. processes: span id -> the process that exported the span."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []
        self.processes: dict[bytes, str] = {}

    def of(self, trace_id: str) -> dict[str, Any]:
        """Return the spans of a trace by name; of a repeated name the last."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}

    def all_of(self, trace_id: str, name: str) -> list[Any]:
        found = [span for span in self.spans if span.trace_id.hex() == trace_id and span.name == name]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


@contextmanager
def run_collector() -> Iterator[Collector]:
    """Run a collector on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    collector.spans.extend(scope.spans)
                    collector.processes |= {span.span_id: attributes["localfn.process"] for span in scope.spans}
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
