"""The report, its conclusion, and what may be read of an evaluation."""
