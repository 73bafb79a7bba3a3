"""The workflow where it was not written for: another working directory, a checkout that cannot be written, odd paths, another workflow."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT, copy_workflow, merge

# Bound onto itself for one process only: permissions would not stop root.
READ_ONLY = ("unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -o bind,ro "$0" "$0" && exec "$@"')

# Answers as conda does, and makes environments whose Python only says where it looks for modules.
CONDA = """#!/bin/sh
case "$1" in
--version) echo conda 25.1.0 ;;
info) echo '{"conda_prefix": "'$(dirname "$(dirname "$0")")'", "platform": "linux-64"}' ;;
config) echo '{"get": {"channel_priority": "strict"}}' ;;
env)
    while [ "$1" != --prefix ]; do shift; done
    mkdir -p "$2/bin"
    printf '#!/bin/sh\\necho "looks in $PYTHONPATH"\\n' > "$2/bin/python"
    chmod +x "$2/bin/python" ;;
esac
"""


def snakemake(*arguments, within=(), check=True, cwd=None, **variables) -> str:
    """What a run prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | variables
    command = [*within, sys.executable, "-m", "snakemake", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def tiny(**changes) -> dict:
    """A whole configuration: the shrunk default with one point of one iteration."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    merge(config, yaml.safe_load((ROOT / "tests/shrunk.yaml").read_text()))
    config["sweep"][0]["budgets"] = [40]
    merge(config, {"recipes": {"opsft": {"iterations": 1, "sft": {"updates": 1}}}, **changes})
    return config


def files_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def use_as_module(folder: Path, config: dict, snakefile: str = str(ROOT / "Snakefile"), options: str = "") -> None:
    """Write a workflow that uses this one under other names, calls its look at what is sampled, and adds a table of its own."""
    (folder / "study.json").write_text(json.dumps({"thinking": config}))
    (folder / "Snakefile").write_text(f"""
configfile: "study.json"

module opsft:
    snakefile: {snakefile!r}
    config: config["thinking"]
    {options}

use rule * from opsft as *_of_thinking

onstart:
    opsft.onstart()

onsuccess:
    opsft.onsuccess()

rule shortest:
    default_target: True
    input: points=rules.summary_of_thinking.output.points, all=rules.all_of_thinking.input
    output: "shortest.csv"
    shell: "sort --field-separator , --key 14 {{input.points}} > {{output}}"
""")


def whole_config(checkout) -> dict:
    """What the checkout is run with, as one block."""
    config = yaml.safe_load((checkout.folder / "config.yaml").read_text())
    merge(config, yaml.safe_load(checkout.overlay.read_text()))
    return config


def test_a_read_only_checkout_runs_in_another_folder_and_no_path_needs_to_be_plain(tmp_path):
    if subprocess.run([*READ_ONLY, tmp_path, "true"], capture_output=True).returncode:
        pytest.skip("no mount of one's own can be made here")
    checkout, elsewhere = tmp_path / "a checkout (read only)", tmp_path / "my sweep's $HOME"
    checkout.mkdir()
    copy_workflow(checkout)
    shutil.copytree(ROOT / "models/toy-reasoner", elsewhere / 'mödel\'s "toy"')
    overlay = elsewhere / "over lay.yaml"
    overlay.write_text(yaml.safe_dump(tiny(results="my 'résults'", models={"toy": {"source": 'mödel\'s "toy"'}})))
    before = files_below(checkout)

    arguments = ("--snakefile", checkout / "Snakefile", "--directory", elsewhere, "--configfile", overlay)
    snakemake(*arguments, "--cores", "2", within=(*READ_ONLY, checkout), cwd=tmp_path)

    assert (elsewhere / "my 'résults'/summary/report.html").exists()
    assert (elsewhere / ".snakemake").exists()
    assert files_below(checkout) == before
    assert {path.name for path in tmp_path.iterdir()} == {checkout.name, elsewhere.name}
    assert "Nothing to be done" in snakemake(*arguments, "--dry-run")


def test_results_may_lie_deep_on_another_file_system_behind_a_link(tmp_path):
    (tmp_path / "far").symlink_to("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp")
    results = f"{tmp_path}/far/{'deep/' * 60}results"
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(tiny(results=results)))
    output = snakemake("--dry-run", "--snakefile", ROOT / "Snakefile", "--configfile", overlay, cwd=tmp_path)
    assert f"{results}/summary/points.csv" in output
    assert "profiles/default for setting default" in output


def test_an_environment_that_is_deployed_finds_the_project(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/conda").write_text(CONDA)
    (tmp_path / "bin/conda").chmod(0o755)
    (tmp_path / "bin/activate").write_text('PATH="$1/bin:$PATH"\n')
    arguments = ("--snakefile", ROOT / "Snakefile", "--sdm", "conda", "--cores", "1", "plan")
    output = snakemake(*arguments, cwd=tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert f"looks in {ROOT}" in output


def test_another_workflow_uses_the_sweep_and_runs_nothing_of_it_again(checkout):
    config = whole_config(checkout)
    use_as_module(checkout.folder, config)
    output = snakemake("--cores", "1", cwd=checkout.folder)
    assert "1 of 1 steps (100%) done" in output
    assert (checkout.folder / "shortest.csv").read_text().count("toy,") == 5

    config["engine"]["context"] = 201
    use_as_module(checkout.folder, config)
    output = snakemake("--cores", "1", check=False, cwd=checkout.folder)
    assert "nothing was sampled" in output
    assert "localrules" not in output


def test_a_module_that_moves_paths_is_refused(tmp_path):
    use_as_module(tmp_path, tiny(), options='prefix: "thinking"')
    output = snakemake("--dry-run", check=False, cwd=tmp_path)
    assert "set `results` in the module's configuration" in output
    assert "Traceback" not in output


class Files(http.server.SimpleHTTPRequestHandler):
    """The files of the repository, without a line for each request."""

    def log_message(self, *arguments):
        pass


def test_a_module_that_is_no_folder_on_disk_is_refused(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=ROOT)) as server:
        threading.Thread(target=server.serve_forever).start()
        use_as_module(tmp_path, tiny(), snakefile=f"http://127.0.0.1:{server.server_port}/Snakefile")
        output = snakemake("--dry-run", check=False, cwd=tmp_path)
        server.shutdown()
    assert "clone the repository and give the path of its Snakefile" in output
    assert "Traceback" not in output
