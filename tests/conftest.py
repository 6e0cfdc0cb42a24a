"""Settings of all tests. Whatever else is imported must see the environment that this leaves."""

import isolation

isolation.isolate()

import pytest  # noqa: E402


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have counted: record_property("figures", line)."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    lines = [
        str(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "figures" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
