"""The report in the browser: one HTML file that tells a run's story, and lets every block of its UNet be touched."""

from nas.reports.page.writing import watched_report, write_report

__all__ = ["watched_report", "write_report"]
