"""Settings of all tests. Whatever else is imported must see the environment that this leaves."""

from __future__ import annotations

from collections import Counter

import isolation

isolation.isolate()

import pytest  # noqa: E402


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have counted: record_property("figures", line), and the secret search."""
    lines: list[str] = []
    totals: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if getattr(report, "when", "") == "call" and "figures" in properties:
                lines.append(properties["figures"])
            if getattr(report, "when", "") == "teardown":
                totals.update(properties.get("secret search", {}))
    if totals:
        lines.append(
            "secret search: {tests} tests, {commands} commands, {processes} command lines of "
            "processes, {files} files, {bytes:,} bytes, {secrets} secrets, {finds} finds "
            "({seconds:.1f} s)".format_map(totals)
        )
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))
