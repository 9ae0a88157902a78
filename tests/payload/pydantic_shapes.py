"""A pydantic model that the payload tests send."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Parcel(BaseModel):
    model_config = ConfigDict(extra="allow")

    size: Any
    tags: set[str] = set()
    _weighed: int = PrivateAttr(default=1)
