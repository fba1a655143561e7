"""From plate read to hit."""
