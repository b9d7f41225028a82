# SPDX-License-Identifier: GPL-2.0-only
"""What is done to a volume by the driver under test, and what has to be there afterwards."""
