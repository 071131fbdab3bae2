"""What Prometheus may know: counts and times under labels of which there are few, and none that a client chooses."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
ELSEWHERE = "elsewhere"
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "inceptions_requests", "Requests, by what became of them.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "inceptions_request_seconds",
            "From the header's arrival to the answer's end.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "inceptions_refused", "Requests that were refused, by reason.", ("reason",), registry=self.registry
        )
        self._images = Counter("inceptions_images", "Images answered.", ("model",), registry=self.registry)
        self._unreadable = Counter(
            "inceptions_unreadable_images", "Images that could not be read.", ("model",), registry=self.registry
        )
        self._batches = Histogram(
            "inceptions_batch_images",
            "Images in one pass through the network.",
            ("model",),
            buckets=BATCHES,
            registry=self.registry,
        )
        self._passes = Histogram(
            "inceptions_pass_seconds", "One pass through the network.", ("model",), buckets=SECONDS, registry=self.registry
        )
        self._queue = Gauge(
            "inceptions_queue_images", "Images being decoded, waiting or being answered.", ("model",), registry=self.registry
        )
        self._ready = Gauge("inceptions_ready", "Whether the model answers.", ("model",), registry=self.registry)
        self._flight = Gauge("inceptions_requests_in_flight", "Requests being received or answered.", registry=self.registry)
        self._bytes = Gauge("inceptions_body_bytes", "Of requests being received or answered.", registry=self.registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was refused; `reason` is one of our own words."""
        self._refused.labels(reason).inc()

    def passed(self, model: str, images: int, seconds: float) -> None:
        """A pass through a network has ended."""
        self._images.labels(model).inc(images)
        self._batches.labels(model).observe(images)
        self._passes.labels(model).observe(seconds)

    def unreadable(self, model: str) -> None:
        """An image could not be read."""
        self._unreadable.labels(model).inc()

    def loads(self, requests: int, size: int) -> None:
        """How much is in flight."""
        self._flight.set(requests)
        self._bytes.set(size)

    def model(self, name: str, *, queue: int, ready: bool) -> None:
        """The state of a model."""
        self._queue.labels(name).set(queue)
        self._ready.labels(name).set(ready)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)
