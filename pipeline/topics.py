"""The Kafka topics: names, keys, partitions, retention; how consumers and producers are made.

| topic | value | key | consumer group |
| --- | --- | --- | --- |
| anpr.frames | Capture | camera | kruispunt-ocr |
| anpr.reads | PlateRead | camera | kruispunt-match |
| anpr.rejects | Reject | camera or source | none |
| lik.hits | Hit | entry | kruispunt-alerts |
| lik.alerts | Alert | alert | none |
| rir.intake | RirDraft | alert | none |
"""
