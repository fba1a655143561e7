"""From hit to alert, notification and information report."""
