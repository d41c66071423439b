"""An adapter to the Hugging Face Hub: its folder in one commit, so that a failed upload leaves nothing half
there and can be run again.

Private unless asked otherwise, and never into a repository that others can see unless that was asked for.
"""

from __future__ import annotations

from pathlib import Path

from leafinstruct.errors import TrainError
from leafinstruct.runtime import hub

FILES = ("adapter_config.json", "adapter_model.safetensors", "README.md")


def check(repo: str) -> None:
    """Raises TrainError for what is no name of a repository, before hours of training."""
    hub.check_name(repo, "--push-to", TrainError)


def push(folder: Path, repo: str, public: bool) -> str:
    """Upload an adapter's folder to ORG/NAME. Returns its address. Raises TrainError, in one line."""
    from huggingface_hub import HfApi

    api = HfApi()
    with hub.speaking(
        f"--push-to {repo}", f"the adapter is kept in {folder}, run the same command again", TrainError
    ):
        api.create_repo(repo, private=not public, exist_ok=True)
        if not public and not api.model_info(repo).private:
            raise TrainError(
                f"--push-to {repo}: is there already and everybody can see it; say --public if that "
                "is meant, or give another name"
            )
        done = api.upload_folder(
            repo_id=repo, folder_path=str(folder), allow_patterns=list(FILES), commit_message="Upload adapter"
        )
    return str(done.repo_url)
