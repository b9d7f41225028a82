# SPDX-License-Identifier: GPL-2.0-only
"""The jobs: one module each, with `run(report, plan)`."""
