# SPDX-License-Identifier: GPL-2.0-only
"""What runs inside the guest: fill volumes, walk them, compare, break them. Standard library only."""
