"""Policy 0: find the base model, fetch it where it is on the Hub, and write its manifest."""

from opsft.checkpoint_files import check_finite_values
from opsft_flow.configuration.sources import find_local
from opsft_flow.files import write_json
from opsft_flow.node import node
from opsft_flow.preparation import find_checkpoint
from opsft_flow.weights.policy import describe_folder


def main() -> None:
    with node(__doc__, inputs=(), outputs=("policy",)) as job:
        model = job.settings["model"]
        with job.phase("fetch"):
            folder = find_checkpoint(model["source"], model["revision"])
        with job.phase("hash"):
            files = describe_folder(folder)
        with job.phase("values"):
            check_finite_values(folder)
        manifest = {
            "path": None,
            "source": model["source"],
            # The folder of a Hub snapshot is named by its commit: a branch that moves on does not change the base model.
            "revision": model["revision"] if find_local(model["source"]) else folder.name,
            "files": files,
            "parent": None,
            "optimizer": None,
            "probe": None,
            "iteration": 0,
            "updates": 0,
            "tokens_trained": 0,
            "copied": False,
            "empty_streak": 0,
            "stopped": None,
            "settings": job.settings,
        }
        write_json(job.policy, manifest)
        print(
            f"{model['source']}: {len(files)} files, {sum(f['bytes'] for f in files.values()) / 1e6:,.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
