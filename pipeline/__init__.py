"""From capture to alert."""
