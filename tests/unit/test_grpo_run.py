"""What a run of TRL's GRPO leaves for measurement."""

from benchmarks import grpo_run
from opsft_flow.files import read_json, write_json


def test_the_policies_of_grpo_have_the_configuration_of_the_base_model(tmp_path, monkeypatch):
    base, folder = tmp_path / "base", tmp_path / "run"
    write_json(base / "config.json", {"vocab_size": 128})

    def trained(module: str, job: dict, python: str) -> dict:
        """As TRL does: only some policies stay, and their configuration names a padding token."""
        write_json(folder / "iteration-2" / "config.json", {"vocab_size": 128, "pad_token_id": 0})
        rows = [
            {"iteration": i, "ended": 100.0 + i, "work_s": float(i), "reward": 0.5, "tokens_sampled": 10}
            for i in (1, 2)
        ]
        process = {"began": 95.0, "seconds": 8.0, "peak_memory_mb": 500}
        return {"load_s": 1.0, "iterations": rows, "versions": {}, "process": process}

    monkeypatch.setattr(grpo_run, "measure_in_child", trained)
    job = {"checkpoint": str(base), "iterations": 2, "microbatch": 4}
    whole, rows, policies = grpo_run.train_by_grpo(job, folder, "python")

    assert policies == {2: folder / "iteration-2"}
    assert read_json(policies[2] / "config.json") == {"vocab_size": 128}
    assert [(row["seconds"], row["tokens_sampled"]) for row in rows] == [(6.0, 10), (7.0, 20)]
    assert whole["peak_memory_mb"] == 500
