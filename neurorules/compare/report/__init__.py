"""The report of a comparison: a single HTML page that works offline."""

from neurorules.compare.report.page import write_report
from neurorules.compare.report.reading import COMPARISON_FILE, REPORT_FILE

__all__ = ["COMPARISON_FILE", "REPORT_FILE", "write_report"]
