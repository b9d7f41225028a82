# SPDX-License-Identifier: GPL-2.0-only
"""How fast a driver reads beside others: what is on the volume, the ways to read it, and how one run is measured."""
