"""What Linux alone has is done without elsewhere."""

import os

import pytest

from opsft_flow.machine import runtime


@pytest.fixture
def announced(monkeypatch):
    """A head that an outer workflow has left in the environment."""
    monkeypatch.setenv(runtime.HEAD, f"{os.uname().nodename}:1:1")


def test_a_system_without_proc_serves_nodes_by_nobody(monkeypatch, announced):
    monkeypatch.setattr(runtime, "process_start", lambda pid: None)
    runtime.announce_head()
    assert runtime.find_head() is None


def test_a_system_without_handles_of_processes_serves_nodes_by_nobody(monkeypatch, announced):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    runtime.announce_head()
    assert runtime.find_head() is None
