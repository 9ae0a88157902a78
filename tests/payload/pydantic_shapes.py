"""A pydantic model that the payload tests send, where pydantic is installed."""

# pydantic is no dependency of ours, so the type checker may not find it.
# mypy: disable-error-code="import-not-found, misc"
from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Parcel(BaseModel):
    model_config = ConfigDict(extra="allow")

    size: Any
    tags: set[str] = set()
    _weighed: int = PrivateAttr(default=1)
