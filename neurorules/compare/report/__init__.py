"""The report of a comparison: one page that needs no network and is read in two minutes."""

from neurorules.compare.report.page import write_report
from neurorules.compare.report.reading import COMPARISON_FILE, REPORT_FILE

__all__ = ["COMPARISON_FILE", "REPORT_FILE", "write_report"]
