# SPDX-License-Identifier: GPL-2.0-only
"""What a mounted volume must do beyond being read from end to end, one module per theme.

Each module has `run(report, ground)`. The volume is the full one of the matrix, so that what must be
read is known from ntfs-3g's listing.
"""
