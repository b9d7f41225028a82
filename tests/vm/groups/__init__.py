# SPDX-License-Identifier: GPL-2.0-only
"""One module per test group; each has `run(context)`."""
