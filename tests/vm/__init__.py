# SPDX-License-Identifier: GPL-2.0-only
"""The tests that need a virtual machine, host side."""
