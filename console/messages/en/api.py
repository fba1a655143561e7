"""The page of the API, in English.

What each operation and field means is in English: it is the description itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "api.lead": "Present an API token with each request, as {header}. The whole description, for a program, is in",
    "api.operations": "Operations",
    "api.parameter": "Parameter",
    "api.where": "In",
    "api.type": "Type",
    "api.meaning": "Meaning",
    "api.body": "Body",
    "api.answer": "Answer",
    "api.shapes": "Shapes",
    "api.field": "Field",
}
