"""What the server counts, as Prometheus reads it."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PEOPLE = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, eq=False)
class Metrics:
    """Counters of one server.

    Args:
        registry: That they are in.
        requests: By route and status.
        latency: s, by route.
        frames: By how they were lifted.
        batches: People who went through the network at once, by model.
        connections: That are open, by kind.
        queue: What waits, by what it is.
    """

    registry: CollectorRegistry
    requests: Counter
    latency: Histogram
    frames: Counter
    batches: Histogram
    connections: Gauge
    queue: Gauge

    def text(self) -> bytes:
        """Write all of them."""
        return generate_latest(self.registry)


def make_metrics() -> Metrics:
    """Start to count at 0."""
    home = CollectorRegistry()
    return Metrics(
        registry=home,
        requests=Counter(
            "graphlift_requests",
            "Requests that were answered; a stream counts when it ends.",
            ("route", "status"),
            registry=home,
        ),
        latency=Histogram(
            "graphlift_latency_seconds",
            "From a request's start to the end of its answer; of a stream, of each frame.",
            ("route",),
            buckets=_SECONDS,
            registry=home,
        ),
        frames=Counter(
            "graphlift_frames",
            "Frames that were lifted, by streams, requests or jobs.",
            ("how",),
            registry=home,
        ),
        batches=Histogram(
            "graphlift_batch_people",
            "People who went through the network at once.",
            ("model",),
            buckets=_PEOPLE,
            registry=home,
        ),
        connections=Gauge(
            "graphlift_connections",
            "Requests and streams that are open.",
            ("kind",),
            registry=home,
        ),
        queue=Gauge(
            "graphlift_queue",
            "What waits: frames for the network, clips and jobs for a process.",
            ("of",),
            registry=home,
        ),
    )
