"""The processes that the warehouse's tests start too."""

from assets_tests.warehouse.conftest import start_python

__all__ = ["start_python"]
