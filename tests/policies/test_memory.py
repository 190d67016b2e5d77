"""Freed tensors leave the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys, torch
from zermelo.policies.memory import return_freed_memory

def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) / 1e3

if sys.argv[1] == "yes":
    assert return_freed_memory()
kept = []
for i in range(60):  # a lasting tensor above each passing one: the heap cannot shrink
    passing = torch.ones(2_000_000)
    kept.append(torch.ones(20_000))
    if i % 2:
        del passing
    else:
        kept.append(passing)
before = resident()
kept = [x for x in kept if x.numel() < 100_000]
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_tensors_leave_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, "yes"], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 200  # MB; 30 tensors of 8 MB were freed
