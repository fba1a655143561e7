"""Faust's Kafka transport with the wait of a fetch as a setting: Faust fixes it at 1.5 s.

A real broker answers a fetch as soon as there is a message, and the wait costs nothing. The embedded broker looks
only when the wait is over, so that there it is the latency of every alert.
"""

from __future__ import annotations

from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver

from pipeline.settings import Settings
from pipeline.topics import fetch_wait_ms


def make_transport(app: faust.App, settings: Settings) -> driver.Transport:
    """Make the transport of `app`, whose fetches wait as those of our other consumers do."""
    wait_ms = fetch_wait_ms(settings)

    class Thread(driver.AIOKafkaConsumerThread):
        def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
            consumer = super()._create_worker_consumer(transport)
            # Read when the consumer starts; it has no public place after it was made.
            consumer._fetch_max_wait_ms = wait_ms
            return consumer

    class Consumer(driver.Consumer):
        def _new_consumer_thread(self) -> Thread:
            return Thread(self, loop=self.loop, beacon=self.beacon)

    class Transport(driver.Transport):
        pass

    Transport.Consumer = Consumer
    return Transport(app.conf.broker_consumer, app)
