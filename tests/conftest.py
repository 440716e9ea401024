"""The same commit always has the same result: hypothesis draws the same examples each time.

EXPLORE=1 lets it draw others: what to run in the evening, and what found most of the cases that are named tests by now.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
if not os.environ.get("EXPLORE"):
    settings.load_profile("same")
