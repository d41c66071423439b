"""Push an adapter to the Hugging Face Hub.

The folder goes out in one commit, so a failed upload leaves nothing incomplete and can be repeated. The
repository is private by default; a public repository is only written to with `--public`.
"""

from __future__ import annotations

from pathlib import Path

from leafinstruct.errors import TrainError
from leafinstruct.runtime import hub

FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md")


def check(repo: str) -> None:
    """Raise TrainError for an invalid repository name, before hours of training."""
    hub.check_name(repo, "--push-to", TrainError)


def push(folder: Path, repo: str, public: bool) -> str:
    """Upload an adapter's folder to ORG/NAME. Returns its URL. Raises TrainError, in one line."""
    from huggingface_hub import HfApi

    api = HfApi()
    with hub.uploading(
        f"--push-to {repo}", f"the adapter is saved in {folder}; run the same command again", TrainError
    ):
        api.create_repo(repo, private=not public, exist_ok=True)
        if not public and not api.model_info(repo).private:
            raise TrainError(
                f"--push-to {repo}: this repository is public; give --public to push there, or use another "
                "name"
            )
        done = api.upload_folder(
            repo_id=repo, folder_path=str(folder), allow_patterns=list(FILES), commit_message="Upload adapter"
        )
    return str(done.repo_url)
