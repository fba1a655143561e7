"""What is looked for: hotlists, their entries, versions and snapshots."""
