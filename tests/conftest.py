"""Settings of all tests. Whatever else is imported must see the environment that this leaves."""

import isolation

isolation.isolate()
