"""Prints which Pythons and machines a bundle of wheels fits that this Python downloads, such as cp311-linux-x86_64."""

import sys
import sysconfig

print(f"cp{sys.version_info.major}{sys.version_info.minor}-{sysconfig.get_platform()}")
