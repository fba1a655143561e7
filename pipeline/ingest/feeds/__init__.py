"""One adapter per source format: bytes in, reads out, or a FeedError that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.ingest.feeds import csv, hikvision, kruispunt, platerecognizer, rekor
from pipeline.ingest.feeds.base import Feed

FEEDS: Final[Mapping[str, Feed]] = {
    module.FEED.name: module.FEED for module in (kruispunt, platerecognizer, rekor, hikvision, csv)
}
"""Every adapter by its name in ``POST /ingest/{name}``."""
