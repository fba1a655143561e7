"""Train, export and measure the reader of `pipeline.ingest.ocr`; ``python -m training.ocr`` is the recipe."""
